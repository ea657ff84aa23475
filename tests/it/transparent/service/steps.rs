//! A layered body returns the same frames and hints as the body itself, at each poll.

use std::convert::Infallible;
use std::future::ready;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};
use tower::{Service, service_fn};

use super::{Fixture, get, poll};
use crate::transparent::cases::Pinned;

/// What one poll of a body returns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Data(&'static str),
    Trailers,
    Error,
    Pending,
    End,
}

/// A body that follows a script, which may violate the contract of `Body`. A step has the result of
/// the poll, and the bounds of the size hint and `is_end_stream` before it.
#[derive(Clone, Debug)]
pub(crate) struct Scripted {
    steps: Vec<(Step, u64, Option<u64>, bool)>,
    at: usize,
}

impl Scripted {
    pub(crate) fn new(steps: &[(Step, u64, Option<u64>, bool)]) -> Self {
        Self {
            steps: steps.to_vec(),
            at: 0,
        }
    }

    fn here(&self) -> &(Step, u64, Option<u64>, bool) {
        &self.steps[self.at.min(self.steps.len() - 1)]
    }
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        let step = self.here().0.clone();
        self.at += 1;
        Poll::Ready(match step {
            Step::Pending => return Poll::Pending,
            Step::End => None,
            Step::Error => Some(Err("told to")),
            Step::Data(data) => Some(Ok(Frame::data(data.into()))),
            Step::Trailers => {
                let mut trailers = HeaderMap::new();
                trailers.insert("x-sum", HeaderValue::from_static("42"));
                Some(Ok(Frame::trailers(trailers)))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.here().3
    }

    fn size_hint(&self) -> SizeHint {
        let (_, lower, upper, _) = *self.here();
        let mut hint = SizeHint::new();
        hint.set_lower(lower);
        if let Some(upper) = upper {
            hint.set_upper(upper);
        }
        hint
    }
}

/// What a body tells about itself between polls.
fn seen<B: Body>(body: &B) -> (bool, u64, Option<u64>) {
    let hint = body.size_hint();
    (body.is_end_stream(), hint.lower(), hint.upper())
}

/// Polls a body, and returns the result as text that can be compared.
pub(crate) fn step<B>(body: Pin<&mut B>) -> String
where
    B: Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let polled = body.poll_frame(&mut Context::from_waker(Waker::noop()));
    format!("{polled:?}")
}

/// Polls a body and the same body in the layer, also after their ends.
#[track_caller]
fn same_steps<B>(fixture: &Fixture, bare: B, inner: B)
where
    B: Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let mut inner = Some(inner);
    let mut service = fixture.layer(service_fn(|_: Request<()>| {
        ready(Ok::<_, Infallible>(Response::new(inner.take().unwrap())))
    }));
    let Poll::Ready(Ok(response)) = poll(pin!(service.call(get()))) else {
        panic!("the service is ready at once");
    };
    let (mut bare, mut layered) = (pin!(bare), pin!(response.into_body()));
    assert_eq!(seen(&*bare), seen(&*layered), "before the first poll");
    for polls in 1..=8 {
        assert_eq!(step(bare.as_mut()), step(layered.as_mut()), "{polls}");
        assert_eq!(seen(&*bare), seen(&*layered), "after {polls} polls");
    }
}

#[test]
fn a_layered_body_returns_the_same_frames_and_hints_at_each_poll() {
    use Step::{Data, End, Error, Pending, Trailers};
    let fixture = Fixture::new();
    let none = None;
    let scripts: [&[_]; 8] = [
        // An exact hint that shrinks, and an end that `is_end_stream` announces.
        &[
            (Data("ab"), 5, Some(5), false),
            (Pending, 3, Some(3), false),
            (Data("cde"), 3, Some(3), false),
            (End, 0, Some(0), true),
        ],
        // Bounds that are not exact, and an end that only a poll finds.
        &[
            (Pending, 1, Some(9), false),
            (Data("a"), 1, Some(9), false),
            (Data(""), 0, Some(8), false),
            (End, 0, none, false),
        ],
        &[
            (Data("a"), 0, none, false),
            (Trailers, 0, none, false),
            (End, 0, none, false),
        ],
        &[(Trailers, 0, none, false), (End, 0, Some(0), true)],
        &[(End, 0, Some(0), true)],
        // Frames after the end, after an error, and beyond the hint.
        &[
            (Data("a"), 1, Some(1), false),
            (Data("b"), 0, Some(0), true),
            (Error, 7, Some(9), true),
            (Data("c"), 2, Some(2), false),
            (End, 0, none, false),
        ],
        &[
            (Error, 0, none, false),
            (Error, 0, none, false),
            (Data("a"), 0, none, false),
            (End, 0, none, true),
        ],
        &[
            (End, 3, Some(3), false),
            (Data("a"), 3, Some(3), false),
            (End, 0, none, false),
        ],
    ];
    for script in scripts {
        let body = Scripted::new(script);
        same_steps(&fixture, body.clone(), body);
    }
    fixture.assert(7, 1, 0);
}

#[test]
fn common_body_types_return_the_same_frames_and_hints() {
    let fixture = Fixture::new();
    same_steps(&fixture, Full::<Bytes>::from("abc"), Full::from("abc"));
    same_steps(&fixture, Full::<Bytes>::default(), Full::default());
    same_steps(&fixture, Empty::<Bytes>::new(), Empty::new());
    let boxed = || Full::<Bytes>::from("abc").map_frame(|frame| frame).boxed();
    same_steps(&fixture, boxed(), boxed());
    let axum = || axum::body::Body::from("abc");
    same_steps(&fixture, axum(), axum());
    let pinned = || Pinned::new(Full::<Bytes>::from("abc"));
    same_steps(&fixture, pinned(), pinned());
    fixture.assert(6, 0, 0);
}
