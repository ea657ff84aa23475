//! Requests that fail, and requests that the client or the server cancels.

use std::io::{Read, Write};

use super::{check, read_until, request, service_pair};
use crate::support::{Metrics, Outcomes, assert_outcomes, connect, in_flight};

#[test]
fn a_service_that_fails_aborts_the_connection_and_is_an_error() {
    for path in ["/error", "/panics"] {
        let pair = service_pair();
        let (way, bytes) = pair.same(|addr| {
            let mut stream = connect(addr);
            let request = request("GET", path, "");
            stream.write_all(request.as_bytes()).unwrap();
            let mut bytes = Vec::new();
            let way = stream.read_to_end(&mut bytes).map_err(|error| error.kind());
            (way, bytes)
        });
        assert_eq!(
            (way, bytes),
            (Ok(0), Vec::new()),
            "closed without an answer"
        );
        assert_outcomes(&pair.layered, Outcomes::error(1));
    }
}

#[test]
fn a_body_that_fails_midway_aborts_the_connection_and_is_an_error() {
    let answer = check(
        "GET",
        "/fails",
        "",
        &["\r\n\r\n3\r\none\r\n"],
        Outcomes::error(1),
    );
    assert!(!answer.contains("\r\n0\r\n"), "{answer}");
    check("GET", "/fails-at-once", "", &[], Outcomes::error(1));
    let answer = check(
        "GET",
        "/panics-in-body",
        "",
        &["5\r\nfirst\r\n"],
        Outcomes::error(1),
    );
    assert!(!answer.contains("\r\n0\r\n"), "{answer}");
}

#[test]
fn a_request_whose_client_disconnects_before_the_answer_is_cancelled() {
    let pair = service_pair();
    let mut stream = connect(pair.layered.addr());
    let request = "GET /never HTTP/1.1\r\nhost: test\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    in_flight(&pair.layered, 1);
    drop(stream);
    assert_outcomes(&pair.layered, Outcomes::cancelled(1));
}

#[test]
fn a_request_whose_client_disconnects_during_the_answer_is_cancelled() {
    let pair = service_pair();
    let mut stream = connect(pair.layered.addr());
    let request = "GET /pending HTTP/1.1\r\nhost: test\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    read_until(&mut stream, b"\r\n5\r\nfirst\r\n");
    in_flight(&pair.layered, 1);
    drop(stream);
    assert_outcomes(&pair.layered, Outcomes::cancelled(1));
}

/// The echo's answer is the body of its request, which fails.
#[test]
fn a_client_that_disconnects_during_its_own_body_makes_the_echo_fail() {
    let pair = service_pair();
    let mut stream = connect(pair.layered.addr());
    let head = request("POST", "/echo", "transfer-encoding: chunked\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"3\r\none\r\n").unwrap();
    read_until(&mut stream, b"\r\n3\r\none\r\n");
    in_flight(&pair.layered, 1);
    drop(stream);
    assert_outcomes(&pair.layered, Outcomes::error(1));
}

#[test]
fn a_server_that_shuts_down_cancels_the_requests_in_flight() {
    let pair = service_pair();
    let mut stream = connect(pair.layered.addr());
    let request = "GET /never HTTP/1.1\r\nhost: test\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    in_flight(&pair.layered, 1);
    let health = pair.layered.health().clone();
    drop(pair);
    let metrics = Metrics::parse(&health.render());
    assert_eq!(Outcomes::of(&metrics), Outcomes::cancelled(1));
    assert_eq!(metrics.sum("runtime_health_requests_in_flight", &[]), 0.0);
}
