//! The work of the second part: whole requests, one after the other.

use std::convert::Infallible;
use std::future::{Ready, poll_fn, ready};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::{Body as HttpBody, Frame};
use http_body_util::Full;
use tower::util::ServiceFn;
use tower::{Service, service_fn};

use tower_runtime_health_bench::contender::Work;

const HELLO: &[u8] = b"hello";

/// The answer of the service without axum, which is ready at once.
type Answer = Result<Response<Full<Bytes>>, Infallible>;

/// The service without axum: answers with one frame.
pub fn service() -> ServiceFn<impl Fn(Request<()>) -> Ready<Answer>> {
    service_fn(|_: Request<()>| ready(Ok(Response::new(Full::new(Bytes::from_static(HELLO))))))
}

/// The same through axum, with a handler that takes `polls` polls and answers with
/// `frames` frames.
pub fn router(polls: u64, frames: u64) -> Router {
    let handler = async move || {
        let mut left = polls - 1;
        poll_fn(|_| {
            left = left.wrapping_sub(1);
            if left == u64::MAX {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        match frames {
            1 => Body::from(Bytes::from_static(HELLO)),
            frames => Body::new(Frames(frames)),
        }
    };
    Router::new().route("/users/{id}", get(handler))
}

/// A body of this number of frames.
struct Frames(u64);

impl HttpBody for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.checked_sub(1).map(|left| {
            self.0 = left;
            Ok(Frame::data(Bytes::from_static(HELLO)))
        }))
    }
}

/// Sends requests: calls the service, polls the response and reads the body to its end.
///
/// Making the request is part of the work and the same for every contender.
pub fn send<S, I, O>(mut service: S) -> Work
where
    S: Service<Request<I>, Response = Response<O>, Error = Infallible> + 'static,
    I: Default,
    O: HttpBody<Data = Bytes>,
{
    let uri = Uri::from_static("/users/7");
    Box::new(move |requests| {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..requests {
            let mut request = Request::new(I::default());
            *request.uri_mut() = uri.clone();
            let Poll::Ready(Ok(())) = service.poll_ready(&mut cx) else {
                unreachable!("the service is always ready");
            };
            let mut response = pin!(service.call(black_box(request)));
            let response = loop {
                if let Poll::Ready(Ok(response)) = response.as_mut().poll(&mut cx) {
                    break response;
                }
            };
            let mut body = pin!(response.into_body());
            while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut cx) {
                assert!(black_box(frame).is_ok(), "the body has no errors");
            }
        }
    })
}
