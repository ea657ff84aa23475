//! HTTP/2: both servers get the same frames over real sockets, and the frames of their answers are
//! compared byte by byte. The tests also check how each request is counted.

mod bodies;
mod frames;
mod streams;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Empty;

use self::frames::{RawFrame, raw_answer, raw_request};
use super::cases;
use super::http2_client::{Answer, client};
use crate::support::{Outcomes, Pair, assert_outcomes, run};

/// Sent with every request. The service returns it, so that answers at different times are equal.
const DATE: &str = "Thu, 01 Jan 2026 00:00:00 GMT";

fn service_pair() -> Pair {
    Pair::hyper(tower::service_fn(cases::service))
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

/// Sends one request as frames and one with a real client to both servers. Asserts that the answers
/// are the same and have this outcome.
#[track_caller]
fn check(method: &Method, path: &str, outcome: Outcomes) -> (Vec<RawFrame>, Answer) {
    let pair = service_pair();
    let bytes = raw_request(method.as_str(), path);
    let frames = pair.same(|addr| raw_answer(addr, &bytes));
    let answer = pair.same(|addr| {
        run(async {
            let mut client = client(addr).await;
            let request = request(method.clone(), path, Empty::new());
            Answer::read(client.send_request(request).await).await
        })
    });
    let twice = Outcomes {
        completed: 2 * outcome.completed,
        error: 2 * outcome.error,
        cancelled: 2 * outcome.cancelled,
    };
    assert_outcomes(&pair.layered, twice);
    (frames, answer)
}

/// Like [`check`], for a request that completes.
#[track_caller]
fn completes(method: &Method, path: &str) -> (Vec<RawFrame>, Answer) {
    let (frames, answer) = check(method, path, Outcomes::completed(1));
    assert_eq!(answer.failed, None);
    (frames, answer)
}
