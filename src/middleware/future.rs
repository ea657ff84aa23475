use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::ResponseBody;
use super::request::RequestGuard;
use crate::recorder::Outcome;
use crate::slot::Phase;

pin_project! {
    /// Response future of [`HealthService`](super::HealthService): times each
    /// poll of the inner one.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        // Dropped first: what its destructor does belongs to the request.
        #[pin]
        inner: F,
        // Goes on to the body; gone after the future has given its output.
        request: Option<RequestGuard>,
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn new(inner: F, request: RequestGuard) -> Self {
        Self {
            inner,
            request: Some(request),
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let output = match this.request {
            Some(request) => ready!(request.poll(Phase::Poll, cx, |cx| this.inner.poll(cx))),
            // Polled after completion: whatever the inner future does then.
            None => ready!(this.inner.poll(cx)),
        };
        Poll::Ready(match (output, this.request.take()) {
            (Ok(response), Some(mut request)) => {
                request.response(response.status(), response.headers());
                let (head, body) = response.into_parts();
                let body = ResponseBody::begin(body, &head, request);
                Ok(Response::from_parts(head, body))
            }
            (Ok(response), None) => Ok(response.map(ResponseBody::untimed)),
            (Err(error), request) => {
                if let Some(request) = request {
                    request.end(Outcome::Error);
                }
                Err(error)
            }
        })
    }
}
