//! HTTP/1: both servers get the same bytes over real sockets, and their answers are compared byte
//! by byte, except for the value of `date`. The tests also check how each request is counted.

mod bodies;
mod connections;
mod ends;
mod router;

use std::io::Read;
use std::net::TcpStream;

use super::cases;
use crate::support::{Outcomes, Pair, assert_outcomes, exchange};

/// The service of all cases, bare and layered.
fn service_pair() -> Pair {
    Pair::hyper(tower::service_fn(cases::service))
}

/// A request after which the server closes the connection.
fn request(method: &str, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\r\n")
}

/// Removes the values of `date`. Each byte becomes a character, so that none is lost.
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

/// Sends the same bytes to both servers. Returns the answer, which is the same.
#[track_caller]
fn same_answer(pair: &Pair, request: &str) -> String {
    pair.same(|addr| without_dates(&exchange(addr, request.as_bytes())))
}

/// Sends one request to both servers. Asserts that the answer is the same, contains these texts,
/// and has this outcome.
#[track_caller]
fn check(method: &str, path: &str, headers: &str, contains: &[&str], outcome: Outcomes) -> String {
    let pair = service_pair();
    let answer = same_answer(&pair, &request(method, path, headers));
    for part in contains {
        assert!(answer.contains(part), "no {part:?} in {answer:?}");
    }
    assert_outcomes(&pair.layered, outcome);
    answer
}

/// Reads until these bytes arrive.
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
