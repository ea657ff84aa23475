//! Work of the second part: whole requests, one after the other.

use std::convert::Infallible;
use std::fmt::Debug;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::Body;
use http_body_util::Full;
use tower::util::ServiceFn;
use tower::{Service, service_fn};

use tower_runtime_health_bench::contender::Work;

const HELLO: &[u8] = b"hello";

/// What the service without axum answers, at once.
type Answer = Result<Response<Full<Bytes>>, Infallible>;

/// The service without axum: answers with one frame.
pub fn service() -> ServiceFn<impl Fn(Request<()>) -> Ready<Answer>> {
    service_fn(|_: Request<()>| ready(Ok(Response::new(Full::new(Bytes::from_static(HELLO))))))
}

/// The same through axum.
pub fn router() -> Router {
    Router::new().route("/users/{id}", get(async || Bytes::from_static(HELLO)))
}

/// Sends requests: `call`, the one poll it takes, and the body to its end.
///
/// Making the request is part of the work, and the same for all.
pub fn send<S, I, O>(mut service: S) -> Work
where
    S: Service<Request<I>, Response = Response<O>, Error = Infallible> + 'static,
    I: Default,
    O: Body<Data = Bytes, Error: Debug>,
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
            let response = pin!(service.call(black_box(request)));
            let Poll::Ready(Ok(response)) = response.poll(&mut cx) else {
                unreachable!("the handler awaits nothing");
            };
            let mut body = pin!(response.into_body());
            while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut cx) {
                black_box(frame.expect("the body has no errors"));
            }
        }
    })
}
