//! `CONNECT`, `100 Continue`, bodies in both directions, pipelining, malformed requests.

use std::io::{Read, Write};

use super::{check, read_until, request, same_answer, service_pair, without_dates};
use crate::support::{self, Outcomes, assert_outcomes, connect};

#[test]
fn a_successful_connect_is_completed() {
    for path in ["/connect", "/connect-with-body"] {
        let pair = service_pair();
        // In absolute form, so that the path selects the case.
        let request = format!("CONNECT http://test{path} HTTP/1.1\r\nhost: test\r\n\r\n");
        let answer = pair.same(|addr| {
            let mut stream = connect(addr);
            stream.write_all(request.as_bytes()).unwrap();
            without_dates(&read_until(&mut stream, b"\r\n\r\n"))
        });
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert_outcomes(&pair.layered, Outcomes::completed(1));
    }
}

#[test]
fn a_body_that_the_service_reads_is_requested_with_100_continue() {
    let pair = service_pair();
    let head = request(
        "POST",
        "/collect",
        "content-length: 10\r\nexpect: 100-continue\r\n",
    );
    let answer = pair.same(|addr| {
        let mut stream = connect(addr);
        stream.write_all(head.as_bytes()).unwrap();
        let asked = read_until(&mut stream, b"\r\n\r\n");
        assert_eq!(asked, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(b"0123456789").unwrap();
        without_dates(&support::read_to_close(&mut stream))
    });
    assert!(answer.ends_with("\r\n\r\n10 bytes"), "{answer}");
    assert_outcomes(&pair.layered, Outcomes::completed(1));
}

#[test]
fn a_body_that_the_service_does_not_read_is_not_requested() {
    let headers = "content-length: 10\r\nexpect: 100-continue\r\n";
    let answer = check(
        "POST",
        "/early",
        headers,
        &["no need of it"],
        Outcomes::completed(1),
    );
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[test]
fn request_and_answer_bodies_stream_at_the_same_time() {
    let pair = service_pair();
    let head = request("POST", "/echo", "transfer-encoding: chunked\r\n");
    let answer = pair.same(|addr| {
        let mut stream = connect(addr);
        stream.write_all(head.as_bytes()).unwrap();
        let mut all = read_until(&mut stream, b"\r\n\r\n");
        for chunk in [
            &b"3\r\none\r\n"[..],
            b"5\r\nthree\r\n",
            b"A\r\n0123456789\r\n",
        ] {
            // The next chunk is sent after this one was echoed.
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
    assert_outcomes(&pair.layered, Outcomes::completed(1));
}

#[test]
fn requests_on_one_connection_are_answered_in_order_and_counted_each() {
    let pair = service_pair();
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
    assert_outcomes(&pair.layered, Outcomes::completed(paths.len() as u64 + 3));
}

#[test]
fn a_malformed_request_is_refused_by_the_server_and_not_counted() {
    let pair = service_pair();
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
    // A valid request, so that there is one to wait for.
    same_answer(&pair, &request("GET", "/plain", ""));
    assert_outcomes(&pair.layered, Outcomes::completed(1));
}
