//! The layer between a caller and a service, without a socket: what passes through, at each poll, and
//! how requests are counted that end in ways that no server produces.

mod ends;
mod futures;
mod heads;
mod steps;

use std::future::pending;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use tower::Service;
use tower::layer::Layer;
use tower_runtime_health::{RuntimeHealth, RuntimeHealthService};

use crate::support::{Metrics, Outcomes};

/// An instance, and the runtime that it observes.
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

/// Implements neither `Clone` nor `Error`.
#[derive(Debug, PartialEq)]
struct Odd(u8);

/// Returns these from `poll_ready`, and never answers a request.
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
