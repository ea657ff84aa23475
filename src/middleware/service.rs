use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::guard::PollGuard;
use super::request::RequestGuard;
use super::{ResponseBody, ResponseFuture};
use crate::instance::KeepAlive;
use crate::model::Phase;
use crate::route::{AutoRoute, RequestHead, RouteLabel};
use crate::slot::StackAnchor;

/// A service that counts requests and times their polls. Created by
/// [`RuntimeHealthLayer`](super::RuntimeHealthLayer).
///
/// Requests, responses, errors, size hints, trailers and readiness are those of
/// the inner service. The response's body is wrapped in [`ResponseBody`].
///
/// `poll_ready` is forwarded without timing, because it belongs to no request.
#[derive(Clone, Debug)]
pub struct RuntimeHealthService<S, R = AutoRoute> {
    inner: S,
    keep_alive: Arc<KeepAlive>,
    route: R,
}

impl<S, R> RuntimeHealthService<S, R> {
    pub(super) fn new(inner: S, keep_alive: Arc<KeepAlive>, route: R) -> Self {
        Self {
            inner,
            keep_alive,
            route,
        }
    }

    /// Returns a reference to the inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns a mutable reference to the inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service and drops the middleware.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, R, ReqBody, ResBody> Service<Request<ReqBody>> for RuntimeHealthService<S, R>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    R: RouteLabel,
    ResBody: Body,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    // Never inlined, for the reason given at the future's `poll`.
    #[inline(never)]
    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let found = self.route.find(RequestHead::new(&request));
        let mut timed = RequestGuard::begin(self.keep_alive.instance(), request.method(), found);
        let started = timed.started();
        let guard = PollGuard::enter(
            &mut timed.progress,
            Phase::Call,
            |_| started,
            StackAnchor::here(),
        );
        let inner = self.inner.call(request);
        PollGuard::leave(guard);
        ResponseFuture::new(inner, timed)
    }
}
