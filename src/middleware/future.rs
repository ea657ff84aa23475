use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::ResponseBody;
use super::guard::PollGuard;
use super::request::RequestGuard;
use crate::clock::Clock;
use crate::model::{Outcome, Phase};
use crate::slot::StackAnchor;

pin_project! {
    /// Response future of [`RuntimeHealthService`](super::RuntimeHealthService): times each
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

    // Never inlined: while the inner future is polled its frame is on the stack,
    // and is where a walk up that stack ends. What the inner future gives is not
    // moved until all is known, since it is large.
    #[inline(never)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(request) = this.request else {
            // Polled after completion: whatever the inner future does then.
            let output = this.inner.poll(cx);
            return output.map_ok(|response| response.map(ResponseBody::untimed));
        };
        let guard = PollGuard::enter(
            &mut request.progress,
            Phase::Poll,
            Clock::ticks,
            StackAnchor::here(),
        );
        let output = match &request.extra {
            None => this.inner.poll(cx),
            Some(extra) => extra.poll(guard.as_ref().map(PollGuard::recorder), cx, |cx| {
                this.inner.poll(cx)
            }),
        };
        PollGuard::leave(guard);
        let remaining = match &output {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(response)) => {
                let remaining = request.response(response);
                if response.body().is_end_stream() {
                    request.end(Outcome::Completed);
                    *this.request = None;
                }
                remaining
            }
            Poll::Ready(Err(_)) => {
                request.end(Outcome::Error);
                None
            }
        };
        let request = this.request.take();
        output.map_ok(|response| {
            response.map(|inner| ResponseBody {
                inner,
                request,
                remaining,
            })
        })
    }
}
