//! HTTP/2: a client cannot tell a layered service from a bare one. Both are
//! sent the same frames over real sockets, and the frames that come back are
//! compared byte by byte. How each request is counted is checked on the way.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy sees only the functions marked as tests"
)]

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::SocketAddr;

use crate::cases;
use crate::http2::{Answer, client};
use crate::support::{DEADLINE, Outcomes, Pair, assert_outcomes, connect, run, settled, wait_for};
use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Empty};

/// Sent with every request; the service sends it back, so that all that comes
/// back is the same at every time.
const DATE: &str = "Thu, 01 Jan 2026 00:00:00 GMT";

fn cases() -> Pair {
    Pair::hyper(tower::service_fn(cases::service))
}

fn outcomes(completed: u64, error: u64, cancelled: u64) -> Outcomes {
    Outcomes {
        completed,
        error,
        cancelled,
    }
}

// RFC 9113, 6: types and flags of frames.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// One frame as it is on the wire (RFC 9113, 4.1).
#[derive(Clone, Debug, PartialEq)]
struct RawFrame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl RawFrame {
    fn new(kind: u8, flags: u8, stream: u32, payload: Vec<u8>) -> Self {
        Self {
            kind,
            flags,
            stream,
            payload,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let length = (self.payload.len() as u32).to_be_bytes();
        let head = [length[1], length[2], length[3], self.kind, self.flags];
        [&head[..], &self.stream.to_be_bytes(), &self.payload].concat()
    }

    fn read(from: &mut impl Read) -> Self {
        let mut head = [0; 9];
        from.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut payload = vec![0; length as usize];
        from.read_exact(&mut payload).unwrap();
        Self::new(head[3], head[4], stream, payload)
    }

    fn ends_stream(&self) -> bool {
        let last = matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0;
        last || self.kind == RST_STREAM
    }
}

/// What a client sends for one request without a body: preface, settings, as
/// much window as there is, and the head, its fields plain (RFC 7541, 6.2.2).
fn raw_request(method: &str, path: &str) -> Vec<u8> {
    let mut fields = Vec::new();
    for (name, value) in [
        (":method", method),
        (":scheme", "http"),
        (":authority", "test"),
        (":path", path),
        ("te", "trailers"),
        ("date", DATE),
    ] {
        fields.push(0);
        for text in [name, value] {
            fields.push(u8::try_from(text.len()).unwrap());
            fields.extend(text.as_bytes());
        }
    }
    // SETTINGS_INITIAL_WINDOW_SIZE
    let window = [&[0, 4][..], &0x7fff_ffff_u32.to_be_bytes()].concat();
    let more = 0x7fff_0000_u32.to_be_bytes().to_vec();
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        RawFrame::new(SETTINGS, 0, 0, window).bytes(),
        RawFrame::new(WINDOW_UPDATE, 0, 0, more).bytes(),
        RawFrame::new(HEADERS, END_STREAM | END_HEADERS, 1, fields).bytes(),
    ]
    .concat()
}

/// The frames of the answer to one request, on a connection of its own.
fn raw_answer(addr: SocketAddr, request: &[u8]) -> Vec<RawFrame> {
    let mut stream = connect(addr);
    stream.write_all(request).unwrap();
    let mut frames = Vec::new();
    while !frames.last().is_some_and(RawFrame::ends_stream) {
        let frame = RawFrame::read(&mut stream);
        // The connection's own frames come whenever they come.
        if frame.stream == 1 {
            frames.push(frame);
        }
    }
    frames
}

fn request<B>(method: Method, path: &str, body: B) -> Request<B> {
    Request::builder()
        .method(method)
        .uri(format!("http://test{path}"))
        .header("date", DATE)
        .body(body)
        .unwrap()
}

fn get(path: &str) -> Request<Empty<Bytes>> {
    request(Method::GET, path, Empty::new())
}

/// One request, by frames and by a real client. The answers are the same, and
/// both requests end in this way.
#[track_caller]
fn check(method: &Method, path: &str, outcome: Outcomes) -> (Vec<RawFrame>, Answer) {
    let pair = cases();
    let bytes = raw_request(method.as_str(), path);
    let (bare, layered) = pair.each(|addr| raw_answer(addr, &bytes));
    assert_eq!(bare, layered, "bare on the left, layered on the right");
    let frames = layered;

    let (bare, layered) = pair.each(|addr| {
        run(async {
            let mut client = client(addr).await;
            let request = request(method.clone(), path, Empty::new());
            Answer::read(client.send_request(request).await).await
        })
    });
    assert_eq!(bare, layered, "bare on the left, layered on the right");
    let twice = outcomes(
        2 * outcome.completed,
        2 * outcome.error,
        2 * outcome.cancelled,
    );
    assert_outcomes(&pair.layered, twice);
    (frames, layered)
}

#[track_caller]
fn completes(method: &Method, path: &str) -> (Vec<RawFrame>, Answer) {
    let (frames, answer) = check(method, path, outcomes(1, 0, 0));
    assert_eq!(answer.failed, None);
    (frames, answer)
}

/// Types and flags, which show where the stream was ended.
fn shape(frames: &[RawFrame]) -> Vec<(u8, u8, usize)> {
    let shape = frames.iter().map(|frame| match frame.kind {
        HEADERS => (HEADERS, frame.flags, 0),
        kind => (kind, frame.flags, frame.payload.len()),
    });
    shape.collect()
}

#[test]
fn the_end_of_a_plain_body_comes_with_its_data() {
    let (frames, answer) = completes(&Method::GET, "/plain");
    assert_eq!(answer.text(), "hello");
    assert_eq!(answer.header("content-length"), Some("5"));
    assert_eq!(
        shape(&frames),
        [(HEADERS, END_HEADERS, 0), (DATA, END_STREAM, 5)]
    );
}

#[test]
fn the_end_of_an_empty_body_comes_with_the_headers() {
    for path in ["/empty", "/no-content", "/not-modified"] {
        let (frames, answer) = completes(&Method::GET, path);
        assert_eq!(answer.text(), "");
        assert_eq!(shape(&frames), [(HEADERS, END_HEADERS | END_STREAM, 0)]);
    }
}

#[test]
fn the_end_of_a_stream_comes_when_it_is_asked_for() {
    let (frames, answer) = completes(&Method::GET, "/stream");
    assert_eq!(answer.text(), "onethree");
    assert_eq!(answer.header("content-length"), None);
    assert_eq!(
        shape(&frames),
        [
            (HEADERS, END_HEADERS, 0),
            (DATA, 0, 3),
            (DATA, 0, 0),
            (DATA, 0, 5),
            (DATA, END_STREAM, 0),
        ]
    );
    completes(&Method::GET, "/zero");
}

#[test]
fn a_body_of_declared_length_is_passed_on() {
    let (_, answer) = completes(&Method::GET, "/length");
    assert_eq!(answer.text(), "hello");
    assert_eq!(answer.header("content-length"), Some("5"));
    completes(&Method::GET, "/length-of-none");
}

#[test]
fn a_large_body_is_passed_on() {
    let (_, answer) = completes(&Method::GET, "/large");
    assert_eq!(answer.text().len(), 320_000);
    assert_eq!(answer.header("content-length"), Some("320000"));
}

#[test]
fn trailers_are_passed_on() {
    for (path, text) in [("/trailers", "onetwo"), ("/trailers-only", "")] {
        let (frames, answer) = completes(&Method::GET, path);
        assert_eq!(answer.text(), text);
        let trailers = answer.trailers.unwrap();
        assert_eq!(trailers["x-sum"], "42");
        assert_eq!(trailers["x-more"], "yes");
        let last = frames.last().unwrap();
        assert_eq!((last.kind, last.flags), (HEADERS, END_HEADERS | END_STREAM));
    }
}

#[test]
fn a_body_that_is_not_unpin_is_passed_on() {
    assert_eq!(completes(&Method::GET, "/pinned").1.text(), "onetwo");
}

#[test]
fn odd_headers_and_status_codes_are_passed_on() {
    let (_, answer) = completes(&Method::GET, "/headers");
    assert_eq!(answer.status, 299);
    assert_eq!(answer.headers["x-bytes"].as_bytes(), b"\xe4\xff");
    assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
    let (_, answer) = completes(&Method::GET, "/nowhere");
    assert_eq!(answer.status, 404);
    let (_, answer) = completes(&Method::GET, "/internal");
    assert_eq!(answer.status, 500);
}

#[test]
fn head_is_completed() {
    let (_, answer) = completes(&Method::HEAD, "/empty");
    assert_eq!(answer.status, 200);
}

/// Each stream is a task of its own, and ends with its panic.
#[test]
fn a_service_that_panics_resets_the_stream_and_is_an_error() {
    let (frames, answer) = check(&Method::GET, "/panics", outcomes(0, 1, 0));
    assert!(matches!(
        frames[..],
        [RawFrame {
            kind: RST_STREAM,
            ..
        }]
    ));
    assert!(answer.failed.is_some());
}

#[test]
fn a_service_that_fails_resets_the_stream_and_is_an_error() {
    let (frames, answer) = check(&Method::GET, "/error", outcomes(0, 1, 0));
    // INTERNAL_ERROR
    let reset = RawFrame::new(RST_STREAM, 0, 1, vec![0, 0, 0, 2]);
    assert_eq!(frames, [reset]);
    assert!(answer.failed.is_some());
}

/// The client says when, so that all before it has come.
#[test]
fn a_body_that_fails_midway_resets_the_stream_and_is_an_error() {
    for word in ["fail", "panic"] {
        let pair = cases();
        let (bare, layered) = pair.each(|addr| {
            run(async {
                let mut client = client(addr).await;
                let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
                let response = client.send_request(request(Method::POST, "/obedient-echo", body));
                let mut echo = response.await.unwrap();
                sender.send_data("one".into()).await.unwrap();
                let frame = echo.frame().await.unwrap().unwrap();
                assert_eq!(frame.into_data().unwrap(), "one");
                sender.send_data(word.into()).await.unwrap();
                let error = echo.frame().await.unwrap().unwrap_err();
                // The connection and its other streams go on.
                let none = Channel::new(1).1;
                let plain = client.send_request(request(Method::GET, "/plain", none));
                assert_eq!(Answer::read(plain.await).await.text(), "hello");
                format!("{error:?}")
            })
        });
        assert_eq!(bare, layered, "bare on the left, layered on the right");
        assert!(layered.contains("Reset"), "{layered}");
        assert_outcomes(&pair.layered, outcomes(1, 1, 0));
    }
}

#[test]
fn both_directions_stream_at_once_and_end_with_the_trailers_that_were_sent() {
    let pair = cases();
    let (bare, layered) = pair.each(|addr| {
        run(async {
            let mut client = client(addr).await;
            let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
            let response = client.send_request(request(Method::POST, "/echo", body));
            let (head, mut echo) = response.await.unwrap().into_parts();
            let mut frames = Vec::new();
            for data in ["one", "two", "three"] {
                // The next one is sent after this one came back.
                sender.send_data(data.into()).await.unwrap();
                let frame = echo.frame().await.unwrap().unwrap();
                frames.push(frame.into_data().unwrap());
            }
            let mut trailers = HeaderMap::new();
            trailers.insert("x-sent", HeaderValue::from_static("3"));
            sender.send_trailers(trailers).await.unwrap();
            drop(sender);
            let trailers = echo.frame().await.unwrap().unwrap();
            assert!(echo.frame().await.is_none());
            (head.headers, frames, trailers.into_trailers().unwrap())
        })
    });
    assert_eq!(bare, layered, "bare on the left, layered on the right");
    assert_eq!(layered.1.concat(), b"onetwothree");
    assert_eq!(layered.2["x-sent"], "3");
    assert_outcomes(&pair.layered, outcomes(1, 0, 0));
}

#[test]
fn many_streams_of_one_connection_are_answered_and_counted_each() {
    const EACH: u64 = 20;
    let paths = [
        "/plain",
        "/stream",
        "/trailers",
        "/no-content",
        "/length",
        "/large",
        "/error",
    ];
    let pair = cases();
    let (bare, layered) = pair.each(|addr| {
        run(async {
            let client = client(addr).await;
            let answers = paths.repeat(EACH as usize).into_iter().map(|path| {
                let mut client = client.clone();
                async move {
                    let answer = Answer::read(client.send_request(get(path)).await).await;
                    // How the data is cut depends on what else is under way.
                    let length = answer.text().len();
                    let data = Vec::new();
                    (path, length, Answer { data, ..answer })
                }
            });
            join_all(answers).await
        })
    });
    assert_eq!(bare, layered, "bare on the left, layered on the right");
    for (path, length, answer) in &layered {
        assert_eq!(answer.failed.is_some(), *path == "/error");
        assert_eq!(*length == 320_000, *path == "/large");
    }
    assert_outcomes(&pair.layered, outcomes(6 * EACH, EACH, 0));
}

/// Waits until so many requests are in flight.
#[track_caller]
fn in_flight(pair: &Pair, requests: u64) {
    wait_for(DEADLINE, || {
        let metrics = pair.layered.metrics();
        metrics.sum("runtime_health_requests_in_flight", &[]) == requests as f64
    });
}

#[test]
fn a_stream_that_its_client_resets_is_cancelled_and_the_connection_goes_on() {
    let pair = cases();
    run(async {
        let mut client = client(pair.layered.addr()).await;
        // One before its answer, one within it.
        let mut never = client.clone();
        let never = tokio::spawn(async move { never.send_request(get("/never")).await });
        let mut pending = client.send_request(get("/pending")).await.unwrap();
        let first = pending.frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "first");
        in_flight(&pair, 2);
        never.abort();
        assert!(never.await.unwrap_err().is_cancelled());
        drop(pending);
        let plain = Answer::read(client.send_request(get("/plain")).await).await;
        assert_eq!(plain.text(), "hello");
        // While the connection is open.
        assert_outcomes(&pair.layered, outcomes(1, 0, 2));
    });
}

#[test]
fn a_client_that_leaves_cancels_all_its_streams() {
    let pair = cases();
    run(async {
        let client = client(pair.layered.addr()).await;
        for _ in 0..10 {
            for path in ["/never", "/pending"] {
                let mut client = client.clone();
                drop(tokio::spawn(async move {
                    if let Ok(mut response) = client.send_request(get(path)).await {
                        while response.frame().await.is_some() {}
                    }
                }));
            }
        }
        in_flight(&pair, 20);
    });
    // The runtime is gone, and the connection with it.
    assert_outcomes(&pair.layered, outcomes(0, 0, 20));
}

/// The echo hands its request's body to the answer: the server may see that
/// one fail, or find the stream gone before it looks.
#[test]
fn a_client_that_leaves_within_its_own_body_is_counted_once() {
    let pair = cases();
    run(async {
        let mut client = client(pair.layered.addr()).await;
        let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
        let response = client.send_request(request(Method::POST, "/echo", body));
        let mut echo = response.await.unwrap();
        sender.send_data("one".into()).await.unwrap();
        let frame = echo.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "one");
        in_flight(&pair, 1);
    });
    let counted = Outcomes::of(&settled(&pair.layered, 1));
    assert_eq!((counted.completed, counted.total()), (0, 1));
}
