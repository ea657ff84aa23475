//! Several streams, both directions at once, and streams that fail or are cancelled.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::BodyExt;
use http_body_util::channel::Channel;

use super::frames::{RST_STREAM, RawFrame};
use super::{check, get, request, service_pair};
use crate::support::{Outcomes, assert_outcomes, in_flight, run, settled};
use crate::transparent::http2_client::{Answer, client};

/// A panic ends the task of its stream only.
#[test]
fn a_service_that_panics_resets_the_stream_and_is_an_error() {
    let (frames, answer) = check(&Method::GET, "/panics", Outcomes::error(1));
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
    let (frames, answer) = check(&Method::GET, "/error", Outcomes::error(1));
    // INTERNAL_ERROR
    let reset = RawFrame::new(RST_STREAM, 0, 1, vec![0, 0, 0, 2]);
    assert_eq!(frames, [reset]);
    assert!(answer.failed.is_some());
}

/// The client sends the word that makes the body fail, after everything before it has arrived.
#[test]
fn a_body_that_fails_midway_resets_the_stream_and_is_an_error() {
    for word in ["fail", "panic"] {
        let pair = service_pair();
        let layered = pair.same(|addr| {
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
                // The connection stays open for other streams.
                let none = Channel::new(1).1;
                let plain = client.send_request(request(Method::GET, "/plain", none));
                assert_eq!(Answer::read(plain.await).await.text(), "hello");
                format!("{error:?}")
            })
        });
        assert!(layered.contains("Reset"), "{layered}");
        assert_outcomes(
            &pair.layered,
            Outcomes {
                completed: 1,
                error: 1,
                cancelled: 0,
            },
        );
    }
}

#[test]
fn both_directions_stream_at_once_and_end_with_the_trailers_that_were_sent() {
    let pair = service_pair();
    let layered = pair.same(|addr| {
        run(async {
            let mut client = client(addr).await;
            let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
            let response = client.send_request(request(Method::POST, "/echo", body));
            let (head, mut echo) = response.await.unwrap().into_parts();
            let mut frames = Vec::new();
            for data in ["one", "two", "three"] {
                // The next frame is sent after this one was echoed.
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
    assert_eq!(layered.1.concat(), b"onetwothree");
    assert_eq!(layered.2["x-sent"], "3");
    assert_outcomes(&pair.layered, Outcomes::completed(1));
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
    let pair = service_pair();
    let layered = pair.same(|addr| {
        run(async {
            let client = client(addr).await;
            let answers = paths.repeat(EACH as usize).into_iter().map(|path| {
                let mut client = client.clone();
                async move {
                    let answer = Answer::read(client.send_request(get(path)).await).await;
                    // How data is split into frames depends on the other streams.
                    let length = answer.text().len();
                    let data = Vec::new();
                    (path, length, Answer { data, ..answer })
                }
            });
            join_all(answers).await
        })
    });
    for (path, length, answer) in &layered {
        assert_eq!(answer.failed.is_some(), *path == "/error");
        assert_eq!(*length == 320_000, *path == "/large");
    }
    assert_outcomes(
        &pair.layered,
        Outcomes {
            completed: 6 * EACH,
            error: EACH,
            cancelled: 0,
        },
    );
}

#[test]
fn a_stream_that_its_client_resets_is_cancelled_and_the_connection_stays_open() {
    let pair = service_pair();
    run(async {
        let mut client = client(pair.layered.addr()).await;
        // One stream is reset before its answer, the other during it.
        let mut never = client.clone();
        let never = tokio::spawn(async move { never.send_request(get("/never")).await });
        let mut pending = client.send_request(get("/pending")).await.unwrap();
        let first = pending.frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "first");
        in_flight(&pair.layered, 2);
        never.abort();
        assert!(never.await.unwrap_err().is_cancelled());
        drop(pending);
        let plain = Answer::read(client.send_request(get("/plain")).await).await;
        assert_eq!(plain.text(), "hello");
        // The connection is still open.
        assert_outcomes(
            &pair.layered,
            Outcomes {
                completed: 1,
                error: 0,
                cancelled: 2,
            },
        );
    });
}

#[test]
fn a_client_that_disconnects_cancels_all_its_streams() {
    let pair = service_pair();
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
        in_flight(&pair.layered, 20);
    });
    // The client's runtime has ended, and its connection with it.
    assert_outcomes(&pair.layered, Outcomes::cancelled(20));
}

/// The echo's answer is the body of its request. The server sees either that body fail or the
/// stream closed, so the request is an error or cancelled.
#[test]
fn a_request_whose_client_disconnects_during_its_own_body_is_counted_once() {
    let pair = service_pair();
    run(async {
        let mut client = client(pair.layered.addr()).await;
        let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
        let response = client.send_request(request(Method::POST, "/echo", body));
        let mut echo = response.await.unwrap();
        sender.send_data("one".into()).await.unwrap();
        let frame = echo.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "one");
        in_flight(&pair.layered, 1);
    });
    let counted = Outcomes::of(&settled(&pair.layered, 1));
    assert_eq!((counted.completed, counted.total()), (0, 1));
}
