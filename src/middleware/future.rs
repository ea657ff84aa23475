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
    /// The response future of [`RuntimeHealthService`](super::RuntimeHealthService).
    ///
    /// It times each poll of the inner future.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        // Declared first, so that its destructor runs while the request is open.
        #[pin]
        inner: F,
        // Moved into the body when the future completes.
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

    // Never inlined: a stack walk of the inner future ends at this function's frame.
    // The inner future's output is large, so it is moved only once, at the end.
    #[inline(never)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(request) = this.request else {
            // Polled after completion: the inner future decides what happens.
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
