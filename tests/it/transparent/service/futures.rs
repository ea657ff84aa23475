//! Wakes, pinning, and types that are not `Send`.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::marker::PhantomPinned;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use tower::{Service, ServiceExt, service_fn};
use tower_runtime_health::RuntimeHealth;

use super::{Fixture, Odd, get};
use crate::transparent::cases::Pinned;

pin_project_lite::pin_project! {
    /// A future that is not `Unpin`, and that panics if it is moved.
    struct Anchored {
        first_seen: Option<usize>,
        polls: u32,
        #[pin]
        pin: PhantomPinned,
    }
}

/// With the layer's own waker in between, and without it.
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
fn futures_and_bodies_that_are_not_unpin_are_not_moved() {
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
