//! How requests are counted that end in ways that no server produces.

use std::convert::Infallible;
use std::future::{poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full};
use tower::{Service, ServiceExt, service_fn};

use super::steps::{Scripted, Step, step};
use super::{Fixture, Odd, Readiness, get, poll};

/// A service that answers with `body` at once.
fn answering<B: Body + Clone>(
    body: B,
) -> impl Service<
    Request<()>,
    Response = Response<B>,
    Error = Infallible,
    Future = std::future::Ready<Result<Response<B>, Infallible>>,
> {
    service_fn(move |_| ready(Ok(Response::new(body.clone()))))
}

#[test]
fn a_request_dropped_before_its_end_is_cancelled() {
    let fixture = Fixture::new();
    let body = Scripted::new(&[
        (Step::Data("ab"), 0, None, false),
        (Step::Data("cd"), 0, None, false),
        (Step::End, 0, None, false),
    ]);
    let mut service = fixture.layer(answering(body));
    // The future before its first poll.
    drop(service.call(get()));
    fixture.assert(0, 0, 1);
    // The response with its body.
    drop(poll(pin!(service.call(get()))));
    fixture.assert(0, 0, 2);
    // The body after a frame.
    let Poll::Ready(Ok(response)) = poll(pin!(service.call(get()))) else {
        panic!("the response is ready at once");
    };
    let mut body = response.into_body();
    step(Pin::new(&mut body));
    drop(body);
    fixture.assert(0, 0, 3);
    // A future between two polls.
    let mut service = fixture.layer(Readiness(Vec::new()));
    assert!(poll(pin!(service.call(get()))).is_pending());
    fixture.assert(0, 0, 4);
}

#[test]
fn a_body_with_nothing_left_is_completed_without_another_poll() {
    let fixture = Fixture::new();
    drop(poll(pin!(
        fixture.layer(answering(Empty::<Bytes>::new())).call(get())
    )));
    fixture.assert(1, 0, 0);
    // The hint is exhausted, the trailers were sent, or `is_end_stream` is true.
    for steps in [
        [
            (Step::Data("ab"), 2, Some(2), false),
            (Step::End, 0, None, false),
        ],
        [
            (Step::Trailers, 0, None, false),
            (Step::End, 0, None, false),
        ],
        [
            (Step::Data("ab"), 0, None, false),
            (Step::End, 0, None, true),
        ],
    ] {
        let mut service = fixture.layer(answering(Scripted::new(&steps)));
        let Poll::Ready(Ok(response)) = poll(pin!(service.call(get()))) else {
            panic!("the response is ready at once");
        };
        step(Pin::new(&mut response.into_body()));
    }
    fixture.assert(4, 0, 0);
}

#[test]
fn a_panic_in_call_poll_or_body_is_an_error_and_the_thread_stays_usable() {
    let fixture = Fixture::new();
    let panics = |run: &mut dyn FnMut()| {
        assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
    };
    let mut call = fixture.layer(service_fn(
        |_: Request<()>| -> std::future::Ready<Result<Response<Empty<Bytes>>, Odd>> {
            resume_unwind(Box::new("in call"))
        },
    ));
    panics(&mut || drop(call.call(get())));
    fixture.assert(0, 1, 0);

    let mut future = fixture.layer(service_fn(|_: Request<()>| {
        poll_fn(|_| -> Poll<Result<Response<Empty<Bytes>>, Odd>> {
            resume_unwind(Box::new("in poll"))
        })
    }));
    panics(&mut || drop(poll(pin!(future.call(get())))));
    fixture.assert(0, 2, 0);

    let frames = futures_util::stream::poll_fn(|_| -> Poll<Option<Result<Frame<Bytes>, Odd>>> {
        resume_unwind(Box::new("in poll_frame"))
    });
    let mut body = Some(http_body_util::StreamBody::new(frames));
    let mut service = fixture.layer(service_fn(|_: Request<()>| {
        ready(Ok::<_, Odd>(Response::new(body.take().unwrap())))
    }));
    panics(&mut || {
        let Poll::Ready(Ok(response)) = poll(pin!(service.call(get()))) else {
            panic!("the response is ready at once");
        };
        step(Pin::new(&mut response.into_body()));
    });
    fixture.assert(0, 3, 0);

    // The next request is not mistaken for one nested in a request that panicked.
    drop(poll(pin!(
        fixture.layer(answering(Empty::<Bytes>::new())).call(get())
    )));
    fixture.assert(1, 3, 0);
}

#[test]
fn a_request_that_changes_threads_is_counted_once() {
    let fixture = Fixture::new();
    let mut service = fixture.layer(answering(Full::<Bytes>::from("abc")));
    let on_a_thread = |run: &mut (dyn FnMut() + Send)| {
        std::thread::scope(|scope| scope.spawn(run).join().unwrap());
    };
    let mut future = service.call(get());
    let mut response = None;
    on_a_thread(&mut || {
        if let Poll::Ready(output) = poll(Pin::new(&mut future)) {
            response = Some(output.unwrap());
        }
    });
    let mut body = response.unwrap().into_body();
    on_a_thread(&mut || drop(step(Pin::new(&mut body))));
    drop(body);
    fixture.assert(1, 0, 0);
}

#[test]
fn of_nested_layers_of_one_instance_only_the_outermost_counts() {
    let fixture = Fixture::new();
    let inner = fixture.layer(answering(Full::<Bytes>::from("abc")));
    let service = fixture.layer(inner);
    let body = fixture.runtime.block_on(async {
        let response = service.oneshot(get()).await.unwrap();
        response.into_body().collect().await.unwrap()
    });
    assert_eq!(body.to_bytes(), "abc");
    fixture.assert(1, 0, 0);
}

#[test]
fn nested_layers_of_two_instances_each_count_the_request() {
    let (fixture, other) = (Fixture::new(), Fixture::new());
    let inner = other.layer(answering(Full::<Bytes>::from("abc")));
    let service = fixture.layer(inner);
    let body = fixture.runtime.block_on(async {
        let response = service.oneshot(get()).await.unwrap();
        response.into_body().collect().await.unwrap()
    });
    assert_eq!(body.to_bytes(), "abc");
    fixture.assert(1, 0, 0);
    other.assert(1, 0, 0);
}
