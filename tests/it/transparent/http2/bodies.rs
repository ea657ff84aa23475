//! Heads and bodies of answers.

use http::Method;

use super::completes;
use super::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, shape};

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
fn the_end_of_a_body_of_unknown_length_is_an_empty_frame() {
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
fn unusual_headers_and_status_codes_are_passed_on() {
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
fn a_head_request_is_completed() {
    let (_, answer) = completes(&Method::HEAD, "/empty");
    assert_eq!(answer.status, 200);
}
