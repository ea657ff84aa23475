//! A service with an answer of every kind, by path. The layer must pass all of them on unchanged.

use std::convert::Infallible;
use std::error::Error;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::{ALLOW, CONTENT_LENGTH, DATE, ETAG, SET_COOKIE, TRAILER};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::Incoming;

pub(crate) type Failure = Box<dyn Error + Send + Sync>;
pub(crate) type AnyBody = http_body_util::combinators::BoxBody<Bytes, Failure>;

/// The text of the service's errors.
pub(crate) const FAILED: &str = "failed on purpose";

/// Answers a request, or fails.
///
/// A request's `date` header is returned in the answer, so that answers at different times are
/// equal.
pub(crate) async fn service(request: Request<Incoming>) -> Result<Response<AnyBody>, Failure> {
    let date = request.headers().get(DATE).cloned();
    let mut response = answer(request).await?;
    if let Some(date) = date {
        response.headers_mut().insert(DATE, date);
    }
    Ok(response)
}

async fn answer(request: Request<Incoming>) -> Result<Response<AnyBody>, Failure> {
    let path = request.uri().path().to_owned();
    // The first poll is pending.
    tokio::task::yield_now().await;
    let mut response = Response::new(match path.as_str() {
        "/plain" | "/known" | "/no-content-with-body" | "/not-modified-with-body" => full("hello"),
        "/empty" | "/no-content" | "/not-modified" | "/connect" => empty(),
        "/zero" => frames([]),
        "/large" => full(&"0123456789abcdef".repeat(20_000)),
        "/length" => frames([Some("hel"), Some("lo")]),
        "/length-of-none" => frames([]),
        "/stream" | "/connect-with-body" => frames([Some("one"), Some(""), Some("three")]),
        "/trailers" => trailers([Some("one"), Some("two")]),
        "/trailers-only" => trailers([]),
        "/pinned" => Pinned::new(frames([Some("one"), Some("two")])).boxed(),
        "/fails" => frames([Some("one"), None]),
        "/fails-at-once" => frames([None]),
        "/pending" => chained(stream::pending()),
        "/never" => std::future::pending().await,
        "/error" => return Err(FAILED.into()),
        // Unlike `panic!`, this prints no message.
        "/panics" => std::panic::resume_unwind(Box::new(FAILED)),
        "/panics-in-body" => chained(stream::poll_fn(|_| {
            std::panic::resume_unwind(Box::new(FAILED))
        })),
        "/echo" => request.into_body().map_err(Into::into).boxed(),
        "/obedient-echo" => BodyExt::boxed(StreamBody::new(
            request.into_body().into_data_stream().map(obey),
        )),
        "/collect" => {
            let collected = request.into_body().collect().await?;
            full(&format!("{} bytes", collected.to_bytes().len()))
        }
        "/early" => full("no need of it"),
        "/headers" => full("with many"),
        "/internal" => full("internal"),
        _ => full("nothing here"),
    });
    let headers = response.headers_mut();
    let status = match path.as_str() {
        "/length" => {
            headers.insert(CONTENT_LENGTH, 5.into());
            StatusCode::OK
        }
        "/length-of-none" => {
            headers.insert(CONTENT_LENGTH, 0.into());
            StatusCode::OK
        }
        "/trailers" | "/trailers-only" => {
            headers.insert(TRAILER, HeaderValue::from_static("x-sum, x-more"));
            StatusCode::OK
        }
        "/headers" => {
            headers.append(SET_COOKIE, HeaderValue::from_static("a=1"));
            headers.append(SET_COOKIE, HeaderValue::from_static("b=2"));
            headers.insert("x-bytes", HeaderValue::from_bytes(b"\xe4\xff").unwrap());
            headers.insert("x-empty", HeaderValue::from_static(""));
            StatusCode::from_u16(299).unwrap()
        }
        "/no-content" | "/no-content-with-body" => StatusCode::NO_CONTENT,
        "/not-modified" | "/not-modified-with-body" => {
            headers.insert(ETAG, HeaderValue::from_static("\"1\""));
            StatusCode::NOT_MODIFIED
        }
        "/early" => StatusCode::PAYLOAD_TOO_LARGE,
        "/internal" => {
            headers.insert(ALLOW, HeaderValue::from_static("GET"));
            StatusCode::INTERNAL_SERVER_ERROR
        }
        "/" | "/nowhere" => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    };
    *response.status_mut() = status;
    Ok(response)
}

/// Echoes data, but fails or panics at a word. So the client chooses when.
fn obey(data: hyper::Result<Bytes>) -> Result<Frame<Bytes>, Failure> {
    match data {
        Ok(data) if data == "fail" => Err(FAILED.into()),
        Ok(data) if data == "panic" => std::panic::resume_unwind(Box::new(FAILED)),
        data => Ok(Frame::data(data?)),
    }
}

fn never(never: Infallible) -> Failure {
    match never {}
}

fn full(text: &str) -> AnyBody {
    Full::new(Bytes::copy_from_slice(text.as_bytes()))
        .map_err(never)
        .boxed()
}

fn empty() -> AnyBody {
    Empty::new().map_err(never).boxed()
}

/// A body with these frames of data, and an error for each `None`. It yields before each frame, so
/// that the previous one is sent. Its length is unknown, and only a poll finds its end.
fn frames<const N: usize>(parts: [Option<&'static str>; N]) -> AnyBody {
    let frames = parts.map(|part| match part {
        Some(data) => Ok(Frame::data(Bytes::from_static(data.as_bytes()))),
        None => Err(Failure::from(FAILED)),
    });
    paced(frames.into_iter())
}

fn trailers<const N: usize>(parts: [Option<&'static str>; N]) -> AnyBody {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("42"));
    trailers.insert("x-more", HeaderValue::from_static("yes"));
    let data = parts
        .map(|part| Frame::data(Bytes::from(part.unwrap_or_default())))
        .into_iter();
    paced(data.chain([Frame::trailers(trailers)]).map(Ok))
}

fn paced<I>(frames: I) -> AnyBody
where
    I: Iterator<Item = Result<Frame<Bytes>, Failure>> + Send + Sync + 'static,
{
    let paced = stream::iter(frames).then(|frame| async {
        tokio::task::yield_now().await;
        frame
    });
    BodyExt::boxed(StreamBody::new(paced))
}

/// A body with a frame of data, then a yield so that the frame is sent, then `rest`.
fn chained<S>(rest: S) -> AnyBody
where
    S: futures_util::Stream<Item = Result<Frame<Bytes>, Failure>> + Send + Sync + 'static,
{
    let first = stream::once(async { Ok(Frame::data(Bytes::from_static(b"first"))) });
    let pause = stream::once(tokio::task::yield_now()).filter_map(async |()| None);
    BodyExt::boxed(StreamBody::new(first.chain(pause).chain(rest)))
}

pin_project_lite::pin_project! {
    /// A body that is not `Unpin`.
    #[derive(Debug)]
    pub(crate) struct Pinned<B> {
        #[pin]
        inner: B,
        #[pin]
        pin: PhantomPinned,
    }
}

impl<B> Pinned<B> {
    pub(crate) fn new(inner: B) -> Self {
        Self {
            inner,
            pin: PhantomPinned,
        }
    }
}

impl<B: Body> Body for Pinned<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().inner.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
