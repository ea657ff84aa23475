//! Requests, responses, errors and readiness pass through unchanged.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use http::{Method, Request, Response, Version};
use http_body_util::{BodyExt, Empty, Full};
use tower::{Service, ServiceExt, service_fn};

use super::{Fixture, Odd, Readiness, get};

#[test]
fn the_request_reaches_the_service_unchanged() {
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
fn the_response_reaches_the_caller_unchanged() {
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

#[test]
fn errors_reach_the_caller_unchanged() {
    let fixture = Fixture::new();
    let service = fixture.layer(service_fn(|_: Request<()>| {
        ready(Err::<Response<Empty<Bytes>>, _>(Odd(7)))
    }));
    let error = fixture.runtime.block_on(service.oneshot(get()));
    assert_eq!(error.unwrap_err(), Odd(7));
    fixture.assert(0, 1, 0);
}

#[test]
fn readiness_is_that_of_the_inner_service_and_is_not_counted() {
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
