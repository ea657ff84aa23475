use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http::header::CONTENT_LENGTH;
use http::response::Parts;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::request::RequestGuard;
use crate::recorder::Outcome;
use crate::slot::Phase;

pin_project! {
    /// Response body of [`HealthService`](super::HealthService): times each
    /// `poll_frame` of the inner one and sees its end.
    ///
    /// The request ends, once, with the first of these: no frame follows
    /// (`poll_frame` gives `None`, or `is_end_stream` says so after a frame or
    /// from the beginning), or this is dropped after the trailers or after all
    /// bytes of the `content-length`: *completed*; `poll_frame` gives an error
    /// or panics: *error*; dropped before any of it: *cancelled*.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        // Dropped first: what its destructor does belongs to the request.
        #[pin]
        inner: B,
        request: Option<RequestGuard>,
        // Bytes to come, where that is known.
        remaining: Option<u64>,
    }
}

impl<B: Body> ResponseBody<B> {
    pub(super) fn begin(inner: B, head: &Parts, request: RequestGuard) -> Self {
        let length = head
            .headers
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .or_else(|| inner.size_hint().exact());
        let mut body = Self {
            remaining: length,
            request: Some(request),
            inner,
        };
        if body.inner.is_end_stream() {
            if let Some(request) = body.request.take() {
                request.end(Outcome::Completed);
            }
        } else if let (Some(0), Some(request)) = (body.remaining, &mut body.request) {
            request.completes_if_dropped();
        }
        body
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

    /// The inner body.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }
}

impl<B: Default> Default for ResponseBody<B> {
    /// A body that belongs to no request, for middleware that makes responses
    /// of its own.
    fn default() -> Self {
        Self::untimed(B::default())
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        let Some(request) = this.request else {
            return this.inner.poll_frame(cx);
        };
        let inner = this.inner.as_mut();
        let frame = ready!(request.poll(Phase::Body, cx, |cx| inner.poll_frame(cx)));
        let outcome = match &frame {
            None => Some(Outcome::Completed),
            Some(Err(_)) => Some(Outcome::Error),
            Some(Ok(_)) if this.inner.is_end_stream() => Some(Outcome::Completed),
            Some(Ok(frame)) => {
                // A server stops after either, without asking for the end.
                if frame.is_trailers() {
                    request.completes_if_dropped();
                } else if let (Some(data), Some(remaining)) = (frame.data_ref(), this.remaining) {
                    *remaining = remaining.saturating_sub(data.remaining() as u64);
                    if *remaining == 0 {
                        request.completes_if_dropped();
                    }
                }
                None
            }
        };
        if let (Some(outcome), Some(request)) = (outcome, outcome.and_then(|_| this.request.take()))
        {
            request.end(outcome);
        }
        Poll::Ready(frame)
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
