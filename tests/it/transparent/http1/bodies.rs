//! Heads and bodies of answers.

use super::{check, same_answer, service_pair};
use crate::support::{Outcomes, assert_outcomes};

#[test]
fn a_plain_body_is_passed_on_and_completed() {
    let contains = [
        "HTTP/1.1 200 OK\r\n",
        "content-length: 5\r\n",
        "\r\n\r\nhello",
    ];
    check("GET", "/plain", "", &contains, Outcomes::completed(1));
}

#[test]
fn a_large_body_is_passed_on_and_completed() {
    let contains = ["content-length: 320000\r\n", "0123456789abcdef0123"];
    check("GET", "/large", "", &contains, Outcomes::completed(1));
}

#[test]
fn an_empty_body_is_passed_on_and_completed() {
    let answer = check(
        "GET",
        "/empty",
        "",
        &["content-length: 0\r\n"],
        Outcomes::completed(1),
    );
    assert!(answer.ends_with("\r\n\r\n"));
}

#[test]
fn a_stream_without_a_frame_is_passed_on_and_completed() {
    let contains = ["transfer-encoding: chunked\r\n", "\r\n\r\n0\r\n\r\n"];
    check("GET", "/zero", "", &contains, Outcomes::completed(1));
}

#[test]
fn a_body_of_declared_length_is_passed_on_and_completed() {
    let contains = ["content-length: 5\r\n", "\r\n\r\nhello"];
    check("GET", "/length", "", &contains, Outcomes::completed(1));
}

#[test]
fn a_body_of_declared_length_zero_is_passed_on_and_completed() {
    let contains = ["content-length: 0\r\n"];
    check(
        "GET",
        "/length-of-none",
        "",
        &contains,
        Outcomes::completed(1),
    );
}

#[test]
fn a_body_of_unknown_length_is_sent_in_the_same_chunks_and_completed() {
    let contains = [
        "transfer-encoding: chunked\r\n",
        "\r\n\r\n3\r\none\r\n5\r\nthree\r\n0\r\n\r\n",
    ];
    check("GET", "/stream", "", &contains, Outcomes::completed(1));
}

#[test]
fn a_body_of_unknown_length_ends_with_the_connection_in_http_1_0() {
    let pair = service_pair();
    let answer = same_answer(&pair, "GET /stream HTTP/1.0\r\n\r\n");
    assert!(answer.ends_with("\r\n\r\nonethree"), "{answer}");
    assert_outcomes(&pair.layered, Outcomes::completed(1));
}

#[test]
fn trailers_are_passed_on_and_completed() {
    let contains = [
        "trailer: x-sum, x-more\r\n",
        "3\r\none\r\n3\r\ntwo\r\n0\r\nx-sum: 42\r\nx-more: yes\r\n\r\n",
    ];
    check(
        "GET",
        "/trailers",
        "te: trailers\r\n",
        &contains,
        Outcomes::completed(1),
    );
}

#[test]
fn trailers_without_data_are_passed_on_and_completed() {
    let contains = ["\r\n\r\n0\r\nx-sum: 42\r\nx-more: yes\r\n\r\n"];
    check(
        "GET",
        "/trailers-only",
        "te: trailers\r\n",
        &contains,
        Outcomes::completed(1),
    );
}

#[test]
fn trailers_that_the_client_does_not_accept_are_omitted_and_completed() {
    let answer = check(
        "GET",
        "/trailers",
        "",
        &["3\r\ntwo\r\n0\r\n\r\n"],
        Outcomes::completed(1),
    );
    assert!(!answer.contains("x-sum: 42"), "{answer}");
}

#[test]
fn a_body_that_is_not_unpin_is_passed_on_and_completed() {
    let contains = ["3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"];
    check("GET", "/pinned", "", &contains, Outcomes::completed(1));
}

#[test]
fn unusual_headers_and_status_codes_are_passed_on() {
    let contains = [
        "HTTP/1.1 299 ",
        "set-cookie: a=1\r\nset-cookie: b=2\r\n",
        "x-bytes: \u{e4}\u{ff}\r\n",
        "x-empty: \r\n",
    ];
    check("GET", "/headers", "", &contains, Outcomes::completed(1));
}

#[test]
fn head_has_the_headers_of_get_without_its_body_and_is_completed() {
    let answer = check(
        "HEAD",
        "/plain",
        "",
        &["content-length: 5\r\n"],
        Outcomes::completed(1),
    );
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    let answer = check(
        "HEAD",
        "/length",
        "",
        &["content-length: 5\r\n"],
        Outcomes::completed(1),
    );
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    let answer = check(
        "HEAD",
        "/stream",
        "",
        &["HTTP/1.1 200 OK"],
        Outcomes::completed(1),
    );
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn answers_whose_status_forbids_a_body_are_completed() {
    for path in ["/no-content", "/no-content-with-body"] {
        let answer = check(
            "GET",
            path,
            "",
            &["HTTP/1.1 204 No Content\r\n"],
            Outcomes::completed(1),
        );
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }
    for path in ["/not-modified", "/not-modified-with-body"] {
        let contains = ["HTTP/1.1 304 Not Modified\r\n", "etag: \"1\"\r\n"];
        let answer = check("GET", path, "", &contains, Outcomes::completed(1));
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }
}

#[test]
fn answers_with_an_error_status_are_completed() {
    let contains = ["HTTP/1.1 404 Not Found\r\n", "\r\n\r\nnothing here"];
    check("GET", "/nowhere", "", &contains, Outcomes::completed(1));
    let contains = ["HTTP/1.1 500 Internal Server Error\r\n", "allow: GET\r\n"];
    check("GET", "/internal", "", &contains, Outcomes::completed(1));
}
