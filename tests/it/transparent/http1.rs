//! HTTP/1: a client cannot tell a layered service from a bare one. Both are
//! sent the same bytes over real sockets, and what comes back is compared byte
//! by byte, but for the value of `date`. How each request is counted is
//! checked on the way.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy sees only the functions marked as tests"
)]

#[path = "router.rs"]
mod router;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::cases;
use crate::support::{self, Metrics, Outcomes, Pair, assert_outcomes, connect, exchange};

const COMPLETED: Outcomes = Outcomes {
    completed: 1,
    error: 0,
    cancelled: 0,
};
const ERROR: Outcomes = Outcomes {
    completed: 0,
    error: 1,
    cancelled: 0,
};
const CANCELLED: Outcomes = Outcomes {
    completed: 0,
    error: 0,
    cancelled: 1,
};

/// The service of all cases, bare and layered, with hyper.
fn cases() -> Pair {
    Pair::hyper(tower::service_fn(cases::service))
}

/// A request after which the server closes the connection.
fn request(method: &str, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\r\n")
}

/// The values of `date` cut out; each byte a character, so that none is lost.
fn without_dates(bytes: &[u8]) -> String {
    const DATE: &str = "\r\ndate: ";
    let text: String = bytes.iter().copied().map(char::from).collect();
    let mut parts = text.split(DATE);
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (date, rest) = part.split_once("\r\n").unwrap();
        assert!(date.ends_with(" GMT"), "{date}");
        kept = kept + DATE + "\r\n" + rest;
    }
    kept
}

/// Sends the same bytes to both; gives what came back from either.
#[track_caller]
fn same_answer(pair: &Pair, request: &str) -> String {
    same(pair, |addr| {
        without_dates(&exchange(addr, request.as_bytes()))
    })
}

/// Has the same client talk to both; gives what it got from either.
#[track_caller]
fn same<T: PartialEq + std::fmt::Debug>(pair: &Pair, client: impl Fn(SocketAddr) -> T) -> T {
    let (bare, layered) = pair.each(client);
    assert_eq!(bare, layered, "bare on the left, layered on the right");
    layered
}

/// One request to `path`: the answer holds these bytes, is the same, and ends
/// the request in this way.
#[track_caller]
fn check(method: &str, path: &str, headers: &str, holds: &[&str], outcome: Outcomes) -> String {
    let pair = cases();
    let answer = same_answer(&pair, &request(method, path, headers));
    for part in holds {
        assert!(answer.contains(part), "no {part:?} in {answer:?}");
    }
    assert_outcomes(&pair.layered, outcome);
    answer
}

/// Reads until these bytes have come.
fn read_until(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(end) {
        assert_eq!(
            stream.read(&mut byte).unwrap(),
            1,
            "closed after {:?}",
            bytes.escape_ascii().to_string()
        );
        bytes.push(byte[0]);
    }
    bytes
}

#[test]
fn a_plain_body_is_passed_on_and_completed() {
    let holds = [
        "HTTP/1.1 200 OK\r\n",
        "content-length: 5\r\n",
        "\r\n\r\nhello",
    ];
    check("GET", "/plain", "", &holds, COMPLETED);
}

#[test]
fn a_large_body_is_passed_on_and_completed() {
    let holds = ["content-length: 320000\r\n", "0123456789abcdef0123"];
    check("GET", "/large", "", &holds, COMPLETED);
}

#[test]
fn an_empty_body_is_passed_on_and_completed() {
    let answer = check("GET", "/empty", "", &["content-length: 0\r\n"], COMPLETED);
    assert!(answer.ends_with("\r\n\r\n"));
}

#[test]
fn a_stream_without_a_frame_is_passed_on_and_completed() {
    let holds = ["transfer-encoding: chunked\r\n", "\r\n\r\n0\r\n\r\n"];
    check("GET", "/zero", "", &holds, COMPLETED);
}

#[test]
fn a_body_of_declared_length_is_passed_on_and_completed() {
    let holds = ["content-length: 5\r\n", "\r\n\r\nhello"];
    check("GET", "/length", "", &holds, COMPLETED);
}

#[test]
fn a_body_of_declared_length_zero_is_passed_on_and_completed() {
    let holds = ["content-length: 0\r\n"];
    check("GET", "/length-of-none", "", &holds, COMPLETED);
}

#[test]
fn a_body_of_unknown_length_is_sent_in_the_same_chunks_and_completed() {
    let holds = [
        "transfer-encoding: chunked\r\n",
        "\r\n\r\n3\r\none\r\n5\r\nthree\r\n0\r\n\r\n",
    ];
    check("GET", "/stream", "", &holds, COMPLETED);
}

#[test]
fn a_body_of_unknown_length_ends_with_the_connection_in_http_1_0() {
    let pair = cases();
    let answer = same_answer(&pair, "GET /stream HTTP/1.0\r\n\r\n");
    assert!(answer.ends_with("\r\n\r\nonethree"), "{answer}");
    assert_outcomes(&pair.layered, COMPLETED);
}

#[test]
fn trailers_are_passed_on_and_completed() {
    let holds = [
        "trailer: x-sum, x-more\r\n",
        "3\r\none\r\n3\r\ntwo\r\n0\r\nx-sum: 42\r\nx-more: yes\r\n\r\n",
    ];
    check("GET", "/trailers", "te: trailers\r\n", &holds, COMPLETED);
}

#[test]
fn trailers_without_data_are_passed_on_and_completed() {
    let holds = ["\r\n\r\n0\r\nx-sum: 42\r\nx-more: yes\r\n\r\n"];
    check(
        "GET",
        "/trailers-only",
        "te: trailers\r\n",
        &holds,
        COMPLETED,
    );
}

#[test]
fn trailers_that_the_client_does_not_want_are_left_out_and_completed() {
    let answer = check(
        "GET",
        "/trailers",
        "",
        &["3\r\ntwo\r\n0\r\n\r\n"],
        COMPLETED,
    );
    assert!(!answer.contains("x-sum: 42"), "{answer}");
}

#[test]
fn a_body_that_is_not_unpin_is_passed_on_and_completed() {
    let holds = ["3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"];
    check("GET", "/pinned", "", &holds, COMPLETED);
}

#[test]
fn odd_headers_and_status_codes_are_passed_on() {
    let holds = [
        "HTTP/1.1 299 ",
        "set-cookie: a=1\r\nset-cookie: b=2\r\n",
        "x-bytes: \u{e4}\u{ff}\r\n",
        "x-empty: \r\n",
    ];
    check("GET", "/headers", "", &holds, COMPLETED);
}

#[test]
fn head_has_the_headers_of_get_without_its_body_and_is_completed() {
    let answer = check("HEAD", "/plain", "", &["content-length: 5\r\n"], COMPLETED);
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    let answer = check("HEAD", "/length", "", &["content-length: 5\r\n"], COMPLETED);
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    let answer = check("HEAD", "/stream", "", &["HTTP/1.1 200 OK"], COMPLETED);
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn answers_that_have_no_body_by_their_status_are_completed() {
    for path in ["/no-content", "/no-content-with-body"] {
        let answer = check("GET", path, "", &["HTTP/1.1 204 No Content\r\n"], COMPLETED);
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }
    for path in ["/not-modified", "/not-modified-with-body"] {
        let holds = ["HTTP/1.1 304 Not Modified\r\n", "etag: \"1\"\r\n"];
        let answer = check("GET", path, "", &holds, COMPLETED);
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }
}

#[test]
fn answers_that_tell_of_an_error_are_completed_all_the_same() {
    let holds = ["HTTP/1.1 404 Not Found\r\n", "\r\n\r\nnothing here"];
    check("GET", "/nowhere", "", &holds, COMPLETED);
    let holds = ["HTTP/1.1 500 Internal Server Error\r\n", "allow: GET\r\n"];
    check("GET", "/internal", "", &holds, COMPLETED);
}

#[test]
fn a_successful_connect_is_completed() {
    for path in ["/connect", "/connect-with-body"] {
        let pair = cases();
        // In absolute form, so that the path picks the case.
        let request = format!("CONNECT http://test{path} HTTP/1.1\r\nhost: test\r\n\r\n");
        let answer = same(&pair, |addr| {
            let mut stream = connect(addr);
            stream.write_all(request.as_bytes()).unwrap();
            without_dates(&read_until(&mut stream, b"\r\n\r\n"))
        });
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert_outcomes(&pair.layered, COMPLETED);
    }
}

#[test]
fn a_body_that_is_waited_for_is_asked_for_with_100_continue() {
    let pair = cases();
    let head = request(
        "POST",
        "/collect",
        "content-length: 10\r\nexpect: 100-continue\r\n",
    );
    let answer = same(&pair, |addr| {
        let mut stream = connect(addr);
        stream.write_all(head.as_bytes()).unwrap();
        let asked = read_until(&mut stream, b"\r\n\r\n");
        assert_eq!(asked, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(b"0123456789").unwrap();
        without_dates(&support::read_to_close(&mut stream))
    });
    assert!(answer.ends_with("\r\n\r\n10 bytes"), "{answer}");
    assert_outcomes(&pair.layered, COMPLETED);
}

#[test]
fn a_body_that_nobody_reads_is_not_asked_for() {
    let headers = "content-length: 10\r\nexpect: 100-continue\r\n";
    let answer = check("POST", "/early", headers, &["no need of it"], COMPLETED);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[test]
fn a_service_that_fails_aborts_the_connection_and_is_an_error() {
    for path in ["/error", "/panics"] {
        let pair = cases();
        let (way, bytes) = same(&pair, |addr| {
            let mut stream = connect(addr);
            let request = request("GET", path, "");
            stream.write_all(request.as_bytes()).unwrap();
            let mut bytes = Vec::new();
            let way = stream.read_to_end(&mut bytes).map_err(|error| error.kind());
            (way, bytes)
        });
        assert_eq!((way, bytes), (Ok(0), Vec::new()), "closed without a word");
        assert_outcomes(&pair.layered, ERROR);
    }
}

#[test]
fn a_body_that_fails_midway_aborts_the_connection_and_is_an_error() {
    let answer = check("GET", "/fails", "", &["\r\n\r\n3\r\none\r\n"], ERROR);
    assert!(!answer.contains("\r\n0\r\n"), "{answer}");
    check("GET", "/fails-at-once", "", &[], ERROR);
    let answer = check("GET", "/panics-in-body", "", &["5\r\nfirst\r\n"], ERROR);
    assert!(!answer.contains("\r\n0\r\n"), "{answer}");
}

#[test]
fn a_request_body_streams_through_while_the_answer_does() {
    let pair = cases();
    let head = request("POST", "/echo", "transfer-encoding: chunked\r\n");
    let answer = same(&pair, |addr| {
        let mut stream = connect(addr);
        stream.write_all(head.as_bytes()).unwrap();
        let mut all = read_until(&mut stream, b"\r\n\r\n");
        for chunk in [
            &b"3\r\none\r\n"[..],
            b"5\r\nthree\r\n",
            b"A\r\n0123456789\r\n",
        ] {
            // The next one is sent after this one came back.
            stream.write_all(chunk).unwrap();
            let mut echo = vec![0; chunk.len()];
            stream.read_exact(&mut echo).unwrap();
            all.extend(echo);
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
        all.extend(support::read_to_close(&mut stream));
        without_dates(&all)
    });
    assert!(
        answer.ends_with("\r\nA\r\n0123456789\r\n0\r\n\r\n"),
        "{answer}"
    );
    assert_outcomes(&pair.layered, COMPLETED);
}

#[test]
fn requests_on_one_connection_are_answered_in_order_and_counted_each() {
    let pair = cases();
    let paths = [
        "/plain",
        "/stream",
        "/empty",
        "/no-content",
        "/length",
        "/nowhere",
    ];
    let mut requests: String = paths
        .iter()
        .map(|path| format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n"))
        .collect();
    requests += "HEAD /plain HTTP/1.1\r\nhost: test\r\n\r\n";
    requests += "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 4\r\n\r\nping";
    requests += &request("GET", "/plain", "");
    let answer = same_answer(&pair, &requests);
    assert_eq!(answer.matches("HTTP/1.1 ").count(), paths.len() + 3);
    let completed = Outcomes {
        completed: paths.len() as u64 + 3,
        ..Outcomes::default()
    };
    assert_outcomes(&pair.layered, completed);
}

#[test]
fn a_request_that_is_none_is_refused_by_the_server_and_not_counted() {
    let pair = cases();
    for request in [
        "GET / HTTP/9.9\r\n\r\n",
        "\u{1}\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
    ] {
        let answer = same_answer(&pair, request);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{request}: {answer}");
    }
    // One that is counted, so that there is something to wait for.
    same_answer(&pair, &request("GET", "/plain", ""));
    assert_outcomes(&pair.layered, COMPLETED);
}

#[test]
fn a_client_that_leaves_before_the_answer_is_cancelled() {
    let pair = cases();
    let mut stream = connect(pair.layered.addr());
    let request = "GET /never HTTP/1.1\r\nhost: test\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    in_flight(&pair, 1);
    drop(stream);
    assert_outcomes(&pair.layered, CANCELLED);
}

#[test]
fn a_client_that_leaves_within_the_answer_is_cancelled() {
    let pair = cases();
    let mut stream = connect(pair.layered.addr());
    let request = "GET /pending HTTP/1.1\r\nhost: test\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    read_until(&mut stream, b"\r\n5\r\nfirst\r\n");
    in_flight(&pair, 1);
    drop(stream);
    assert_outcomes(&pair.layered, CANCELLED);
}

/// The echo hands its request's body to the answer, and that body fails.
#[test]
fn a_client_that_leaves_within_its_own_body_makes_the_echo_fail() {
    let pair = cases();
    let mut stream = connect(pair.layered.addr());
    let head = request("POST", "/echo", "transfer-encoding: chunked\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"3\r\none\r\n").unwrap();
    read_until(&mut stream, b"\r\n3\r\none\r\n");
    in_flight(&pair, 1);
    drop(stream);
    assert_outcomes(&pair.layered, ERROR);
}

#[test]
fn a_server_that_ends_cancels_what_is_in_flight() {
    let pair = cases();
    let mut stream = connect(pair.layered.addr());
    let request = "GET /never HTTP/1.1\r\nhost: test\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    in_flight(&pair, 1);
    let health = pair.layered.health().clone();
    drop(pair);
    let metrics = Metrics::parse(&health.render());
    assert_eq!(Outcomes::of(&metrics), CANCELLED);
    assert_eq!(metrics.sum("runtime_health_requests_in_flight", &[]), 0.0);
}

/// Waits until so many requests are in flight.
#[track_caller]
fn in_flight(pair: &Pair, requests: u64) {
    support::wait_for(support::DEADLINE, || {
        let metrics = pair.layered.metrics();
        metrics.sum("runtime_health_requests_in_flight", &[]) == requests as f64
    });
}
