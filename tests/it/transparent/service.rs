//! What the layer passes through, seen from both of its sides without a
//! socket: heads, errors, readiness, wakes, pins, and each step of a body. And
//! how requests are counted that end in ways no server would end them.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy sees only the functions marked as tests"
)]

#[path = "ends.rs"]
mod ends;
#[path = "steps.rs"]
mod steps;

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{pending, poll_fn, ready};
use std::marker::PhantomPinned;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::cases::Pinned;
use crate::support::{Metrics, Outcomes};
use bytes::Bytes;
use http::{Method, Request, Response, Version};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full};
use tower::layer::Layer;
use tower::{Service, ServiceExt, service_fn};
use tower_runtime_health::{RuntimeHealth, RuntimeHealthService};

/// A `RuntimeHealth`, and the runtime it observes.
struct Fixture {
    runtime: tokio::runtime::Runtime,
    health: RuntimeHealth,
}

impl Fixture {
    fn new() -> Self {
        Self::with(RuntimeHealth::builder())
    }

    fn with(options: tower_runtime_health::Builder) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let health = options.observe_runtime(runtime.handle(), "main");
        Self {
            health: health.start().unwrap(),
            runtime,
        }
    }

    fn layer<S>(&self, service: S) -> RuntimeHealthService<S> {
        self.health.layer().layer(service)
    }

    #[track_caller]
    fn assert(&self, completed: u64, error: u64, cancelled: u64) {
        let metrics = Metrics::parse(&self.health.render());
        let expected = Outcomes {
            completed,
            error,
            cancelled,
        };
        assert_eq!(Outcomes::of(&metrics), expected);
        assert_eq!(metrics.sum("runtime_health_requests_in_flight", &[]), 0.0);
    }
}

fn get() -> Request<()> {
    Request::new(())
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn the_request_arrives_as_it_was_sent() {
    let fixture = Fixture::new();
    let service = fixture.layer(service_fn(|request: Request<&'static str>| {
        let (head, body) = request.into_parts();
        assert_eq!(head.method, Method::from_bytes(b"odd").unwrap());
        assert_eq!(head.uri, "http://user@host:1/path?query");
        assert_eq!(head.version, Version::HTTP_3);
        assert_eq!(head.headers["x-twice"], "1");
        assert_eq!(head.headers.get_all("x-twice").iter().count(), 2);
        assert_eq!(head.extensions.get::<u8>(), Some(&7));
        assert_eq!(head.extensions.len(), 1, "the layer adds nothing");
        assert_eq!(body, "any type");
        ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
    }));
    let request = Request::builder()
        .method("odd")
        .uri("http://user@host:1/path?query")
        .version(Version::HTTP_3)
        .header("x-twice", "1")
        .header("x-twice", "2")
        .extension(7_u8)
        .body("any type")
        .unwrap();
    fixture.runtime.block_on(service.oneshot(request)).unwrap();
    fixture.assert(1, 0, 0);
}

#[test]
fn the_response_arrives_as_it_was_made() {
    let fixture = Fixture::new();
    let service = fixture.layer(service_fn(|_: Request<()>| {
        let response = Response::builder()
            .status(799)
            .version(Version::HTTP_09)
            .header("x-twice", "1")
            .header("x-twice", "2")
            .extension(7_u8)
            .body(Full::<Bytes>::from("abc"));
        ready(Ok::<_, Infallible>(response.unwrap()))
    }));
    let response = fixture.runtime.block_on(service.oneshot(get())).unwrap();
    let (head, body) = response.into_parts();
    assert_eq!(
        (head.status.as_u16(), head.version),
        (799, Version::HTTP_09)
    );
    assert_eq!(head.headers.len(), 2);
    assert_eq!(head.headers.get_all("x-twice").iter().count(), 2);
    assert_eq!(head.extensions.get::<u8>(), Some(&7));
    assert_eq!(head.extensions.len(), 1, "the layer adds nothing");
    let body = fixture.runtime.block_on(body.collect()).unwrap();
    assert_eq!(body.to_bytes(), "abc");
    fixture.assert(1, 0, 0);
}

/// Neither `Clone` nor an error.
#[derive(Debug, PartialEq)]
struct Odd(u8);

#[test]
fn errors_arrive_as_they_are() {
    let fixture = Fixture::new();
    let service = fixture.layer(service_fn(|_: Request<()>| {
        ready(Err::<Response<Empty<Bytes>>, _>(Odd(7)))
    }));
    let error = fixture.runtime.block_on(service.oneshot(get()));
    assert_eq!(error.unwrap_err(), Odd(7));
    fixture.assert(0, 1, 0);
}

/// Gives these answers to `poll_ready`, and none to a request.
struct Readiness(Vec<Poll<Result<(), Odd>>>);

impl Service<Request<()>> for Readiness {
    type Response = Response<Empty<Bytes>>;
    type Error = Odd;
    type Future = std::future::Pending<Result<Self::Response, Odd>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Odd>> {
        cx.waker().wake_by_ref();
        self.0.remove(0)
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        pending()
    }
}

#[test]
fn readiness_is_that_of_the_inner_service_and_is_no_request() {
    let fixture = Fixture::new();
    let answers = || vec![Poll::Pending, Poll::Ready(Ok(())), Poll::Ready(Err(Odd(1)))];
    let mut service = fixture.layer(Readiness(answers()));
    let counting = Arc::new(Counting::default());
    let waker = Waker::from(Arc::clone(&counting));
    let mut cx = Context::from_waker(&waker);
    for answer in answers() {
        assert_eq!(service.poll_ready(&mut cx), answer);
    }
    assert_eq!(counting.0.load(Ordering::Relaxed), 3);
    fixture.assert(0, 0, 0);
}

#[derive(Default)]
struct Counting(AtomicU32);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// With a waker of the layer's own between, and without.
#[test]
fn wakes_from_another_thread_arrive() {
    for sampling in [None, Some(1)] {
        let options = RuntimeHealth::builder().schedule_delay_sampling(sampling);
        let fixture = Fixture::with(options);
        let (answer, answered) = tokio::sync::oneshot::channel::<()>();
        let (data, frames) = http_body_util::channel::Channel::<Bytes, Odd>::new(1);
        let mut inner = Some((answered, frames));
        let mut service = fixture.layer(service_fn(move |_: Request<()>| {
            let (answered, frames) = inner.take().unwrap();
            async move {
                answered.await.unwrap();
                Ok::<_, Infallible>(Response::new(frames))
            }
        }));
        let (mut data, mut polled) = (data, false);
        let (begun, begins) = std::sync::mpsc::channel();
        let helper = std::thread::Builder::new().spawn(move || {
            begins.recv().unwrap();
            answer.send(()).unwrap();
            begins.recv().unwrap();
            data.try_send(Frame::data("abc".into())).unwrap();
        });
        let body = fixture.runtime.block_on(async {
            let mut response = pin!(service.call(get()));
            let response = poll_fn(|cx| {
                let answer = response.as_mut().poll(cx);
                if !std::mem::replace(&mut polled, true) {
                    assert!(answer.is_pending());
                    begun.send(()).unwrap();
                }
                answer
            });
            let mut body = response.await.unwrap().into_body();
            let mut asked = false;
            let frame = poll_fn(|cx| {
                let frame = Pin::new(&mut body).poll_frame(cx);
                if !std::mem::replace(&mut asked, true) {
                    assert!(frame.is_pending());
                    begun.send(()).unwrap();
                }
                frame
            });
            let first = frame.await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(first, "abc");
            body.collect().await.unwrap()
        });
        assert_eq!(body.to_bytes(), "");
        helper.unwrap().join().unwrap();
        fixture.assert(1, 0, 0);
    }
}

pin_project_lite::pin_project! {
    /// A future that is not `Unpin`, and notices if it is moved.
    struct Anchored {
        first_seen: Option<usize>,
        polls: u32,
        #[pin]
        pin: PhantomPinned,
    }
}

impl Future for Anchored {
    type Output = Result<Response<Pinned<Full<Bytes>>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let here = std::ptr::from_ref(&*self).addr();
        let this = self.project();
        assert_eq!(*this.first_seen.get_or_insert(here), here, "moved");
        *this.polls += 1;
        if *this.polls < 3 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(Response::new(Pinned::new(Full::from("abc")))))
    }
}

#[test]
fn futures_and_bodies_that_are_not_unpin_stay_where_they_are() {
    let fixture = Fixture::new();
    let service = fixture.layer(service_fn(|_: Request<()>| Anchored {
        first_seen: None,
        polls: 0,
        pin: PhantomPinned,
    }));
    fixture.runtime.block_on(async {
        let response = service.oneshot(get()).await.unwrap();
        let body = pin!(response.into_body());
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
    });
    fixture.assert(1, 0, 0);
}

#[test]
fn services_futures_and_bodies_need_not_be_send() {
    let fixture = Fixture::new();
    let calls = Rc::new(RefCell::new(0));
    let counter = Rc::clone(&calls);
    let service = fixture.layer(service_fn(move |_: Request<Rc<str>>| {
        let counter = Rc::clone(&counter);
        async move {
            tokio::task::yield_now().await;
            *counter.borrow_mut() += 1;
            let body = Full::<Bytes>::from("abc").map_err(move |never| {
                drop(Rc::clone(&counter));
                never
            });
            Ok::<_, Infallible>(Response::new(body))
        }
    }));
    let body = fixture.runtime.block_on(async {
        let response = service.oneshot(Request::new("abc".into())).await.unwrap();
        response.into_body().collect().await.unwrap()
    });
    assert_eq!((body.to_bytes(), *calls.borrow()), ("abc".into(), 1));
    fixture.assert(1, 0, 0);
}
