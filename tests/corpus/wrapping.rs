//! Row 25: services that block before they return a future.

use std::convert::Infallible;
use std::task::{Context, Poll};
use std::thread::sleep;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::get;
use tower::{Layer, Service};

use crate::case::{At, BLOCK, Case, Corpus, real_await};

const OUTER: &str = "/call/service";

pub(crate) fn add(corpus: &mut Corpus) {
    let handler = || async {
        real_await().await;
        "ok"
    };
    corpus.add(
        Case::blocks("25 Service::call, layer outside", OUTER, &["sleep"], &CALL)
            .phase("call")
            .around_service(),
        get(handler),
    );
    // `Router::layer` calls a middleware when its own future is polled.
    corpus.add(
        Case::blocks(
            "25 Service::call, Router::layer",
            "/call/router",
            &["sleep"],
            &CALL,
        ),
        get(handler).layer(Slowly),
    );
}

/// The whole router in a middleware that blocks on one path.
pub(crate) fn service(
    router: Router,
) -> impl Service<
    http::Request<hyper::body::Incoming>,
    Response = Response,
    Error = Infallible,
    Future: Send + 'static,
> + Clone
+ Send
+ 'static {
    Outer(Slow(router))
}

#[derive(Clone)]
struct Outer(Slow<Router>);

impl Service<http::Request<hyper::body::Incoming>> for Outer {
    type Response = Response;
    type Error = Infallible;
    type Future = <Router as Service<Request>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.0, context)
    }

    fn call(&mut self, request: http::Request<hyper::body::Incoming>) -> Self::Future {
        let request = request.map(Body::new);
        if request.uri().path() == OUTER {
            self.0.call(request)
        } else {
            self.0.0.call(request)
        }
    }
}

#[derive(Clone)]
struct Slowly;

impl<S> Layer<S> for Slowly {
    type Service = Slow<S>;

    fn layer(&self, inner: S) -> Slow<S> {
        Slow(inner)
    }
}

#[derive(Clone)]
struct Slow<S>(S);

static CALL: At = at!("Slow::call");

impl<S, B> Service<http::Request<B>> for Slow<S>
where
    S: Service<http::Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<B>) -> S::Future {
        here!(CALL, sleep(BLOCK));
        self.0.call(request)
    }
}
