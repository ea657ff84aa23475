use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::guard::PollGuard;
use super::request::RequestGuard;
use crate::clock::Clock;
use crate::model::{Outcome, Phase};
use crate::slot::StackAnchor;

pin_project! {
    /// The response body of [`RuntimeHealthService`](super::RuntimeHealthService).
    ///
    /// It times each `poll_frame` of the inner body and detects the end of the
    /// request. The request ends once, with the first of these outcomes:
    ///
    /// - *completed*: `poll_frame` returns `None`; or `is_end_stream` returns `true`,
    ///   after a frame or before the first; or the body is dropped after the trailers
    ///   or after all bytes of the `content-length`.
    /// - *error*: `poll_frame` returns an error or panics.
    /// - *cancelled*: the body is dropped before any of these.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        // Declared first, so that its destructor runs while the request is open.
        #[pin]
        pub(super) inner: B,
        pub(super) request: Option<RequestGuard>,
        // The bytes that remain, if the length is known.
        pub(super) remaining: Option<u64>,
    }
}

impl<B> ResponseBody<B> {
    pub(super) fn untimed(inner: B) -> Self {
        Self {
            inner,
            request: None,
            remaining: None,
        }
    }

    /// Returns a reference to the inner body.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }
}

impl<B: Default> Default for ResponseBody<B> {
    /// Returns a body that belongs to no request, for middleware that creates its own
    /// responses.
    fn default() -> Self {
        Self::untimed(B::default())
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    // Never inlined, for the reason given at the future's `poll`.
    #[inline(never)]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        let Some(request) = this.request else {
            return this.inner.poll_frame(cx);
        };
        let guard = PollGuard::enter(
            &mut request.progress,
            Phase::Body,
            Clock::ticks,
            StackAnchor::here(),
        );
        let frame = match &request.extra {
            None => this.inner.as_mut().poll_frame(cx),
            Some(extra) => extra.poll(guard.as_ref().map(PollGuard::recorder), cx, |cx| {
                this.inner.as_mut().poll_frame(cx)
            }),
        };
        PollGuard::leave(guard);
        let outcome = match &frame {
            Poll::Pending => return frame,
            Poll::Ready(None) => Outcome::Completed,
            Poll::Ready(Some(Err(_))) => Outcome::Error,
            Poll::Ready(Some(Ok(_))) if this.inner.is_end_stream() => Outcome::Completed,
            Poll::Ready(Some(Ok(next))) => {
                // A server may drop the body after either, without polling for the end.
                if next.is_trailers() {
                    request.completes_if_dropped();
                } else if let (Some(data), Some(remaining)) = (next.data_ref(), this.remaining) {
                    *remaining = remaining.saturating_sub(data.remaining() as u64);
                    if *remaining == 0 {
                        request.completes_if_dropped();
                    }
                }
                return frame;
            }
        };
        request.end(outcome);
        *this.request = None;
        frame
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
