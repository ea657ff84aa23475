//! Row 25: a middleware that records every request before it forwards it.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum::handler::Handler;
use axum::response::Response;
use futures_util::future::BoxFuture;
use tower::{Layer, Service};
use tower_runtime_health::RuntimeHealthLayer;

use super::AppState;

pub async fn handler() -> &'static str {
    "audited\n"
}

/// Puts the layer around a service whose `call` blocks.
pub fn sync(
    state: &Arc<AppState>,
    layer: RuntimeHealthLayer,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static {
    let audit = SlowAudit {
        inner: handler.with_state(()),
        pause: state.work,
    };
    tower::util::MapResponseLayer::new(axum::response::IntoResponse::into_response)
        .layer(layer.layer(audit))
}

#[derive(Clone)]
struct SlowAudit<S> {
    inner: S,
    pause: Duration,
}

impl<S: Service<Request>> Service<Request> for SlowAudit<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> S::Future {
        std::thread::sleep(self.pause);
        self.inner.call(request)
    }
}

/// The same middleware, with the delay in the future.
pub fn awaited(state: &Arc<AppState>) -> AuditLayer {
    AuditLayer(state.work)
}

#[derive(Clone)]
pub struct AuditLayer(Duration);

impl<S> Layer<S> for AuditLayer {
    type Service = Audit<S>;

    fn layer(&self, inner: S) -> Audit<S> {
        Audit {
            inner,
            pause: self.0,
        }
    }
}

#[derive(Clone)]
pub struct Audit<S> {
    inner: S,
    pause: Duration,
}

impl<S> Service<Request> for Audit<S>
where
    S: Service<Request, Future: Send + 'static>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let response = self.inner.call(request);
        let pause = self.pause;
        Box::pin(async move {
            tokio::time::sleep(pause).await;
            response.await
        })
    }
}
