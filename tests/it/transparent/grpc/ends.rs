//! Calls and streams that the client, the server, a timeout or a panic ends.

use bytes::Bytes;
use http_body_util::Full;
use tonic_health::ServingStatus::Serving;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::HealthServer;

use super::moody::Moody;
use super::{CHECK, EVERYWHERE, On, as_text, ask, assert_same, channel, health_checks, pair};
use crate::support::{DEADLINE, Outcomes, assert_outcomes, in_flight, run, wait_for};
use crate::transparent::http2_client::{self, Answer};

#[test]
fn watch_streams_the_same_until_either_side_ends_it() {
    for on in EVERYWHERE {
        let (pair, mut reporter) = health_checks(on);
        // The reporter is shared, so the servers are tested one after the other.
        let mut transcript = |addr| {
            run(async {
                reporter.set_service_status("some", Serving).await;
                let mut client = HealthClient::new(channel(addr).await);
                let mut ended = client.watch(ask("some")).await.unwrap().into_inner();
                let mut left = client.watch(ask("some")).await.unwrap().into_inner();
                let mut seen = Vec::new();
                for status in [
                    tonic_health::ServingStatus::NotServing,
                    tonic_health::ServingStatus::Unknown,
                    Serving,
                ] {
                    for watch in [&mut ended, &mut left] {
                        seen.push(watch.message().await.unwrap().unwrap().status);
                    }
                    reporter.set_service_status("some", status).await;
                }
                drop(left);
                if addr == pair.layered.addr() {
                    // The cancellation is counted before the other stream ends.
                    wait_for(DEADLINE, || {
                        Outcomes::of(&pair.layered.metrics()).cancelled == 1
                    });
                }
                reporter.clear_service_status("some").await;
                while let Some(message) = ended.message().await.unwrap() {
                    seen.push(message.status);
                }
                let unknown = as_text(
                    client
                        .watch(ask("unknown"))
                        .await
                        .map(|answer| answer.map(|_stream| "a stream")),
                );
                let trailers = ended.trailers().await.unwrap();
                (seen, unknown, format!("{trailers:?}"))
            })
        };
        let answers = (
            transcript(pair.bare.addr()),
            transcript(pair.layered.addr()),
        );
        assert_same(on, &answers);
        let serving = ServingStatus::Serving as i32;
        assert_eq!(answers.1.0[..2], [serving, serving], "{:?}", answers.1);
        let expected = Outcomes {
            completed: 2,
            error: 0,
            cancelled: 1,
        };
        assert_outcomes(&pair.layered, expected);
    }
}

#[test]
fn a_call_that_its_client_drops_is_cancelled() {
    for on in EVERYWHERE {
        let pair = pair(on, || HealthServer::new(Moody));
        run(async {
            let client = HealthClient::new(channel(pair.layered.addr()).await);
            let mut never = client.clone();
            let never = tokio::spawn(async move { never.check(ask("never")).await });
            let mut watcher = client.clone();
            let mut watch = watcher.watch(ask("never")).await.unwrap().into_inner();
            for status in 0..3 {
                assert_eq!(watch.message().await.unwrap().unwrap().status, status);
            }
            in_flight(&pair.layered, 2);
            never.abort();
            drop(watch);
            // The connection is still open.
            let expected = Outcomes::cancelled(2);
            assert_outcomes(&pair.layered, expected);
            drop(client);
        });
    }
}

/// tonic applies the client's timeout outside of the layers on its server.
#[test]
fn a_call_that_exceeds_its_timeout_is_cancelled_with_the_same_status() {
    let pair = pair(On::TonicServer, || HealthServer::new(Moody));
    let answers = pair.each(|addr| {
        run(async {
            // Not with tonic's client, which would enforce the timeout itself.
            let mut client = http2_client::client(addr).await;
            let request = http::Request::post(format!("http://test{CHECK}"))
                .header("te", "trailers")
                .header("content-type", "application/grpc")
                .header("grpc-timeout", "50m")
                .body(Full::<Bytes>::from(&b"\0\0\0\0\x07\x0a\x05never"[..]))
                .unwrap();
            let mut answer = Answer::read(client.send_request(request).await).await;
            answer.headers.remove("date");
            answer
        })
    });
    assert_same(On::TonicServer, &answers);
    let status = answers.1.header("grpc-status");
    assert!(matches!(status, Some("1" | "4")), "{status:?}");
    let expected = Outcomes::cancelled(1);
    assert_outcomes(&pair.layered, expected);
}

#[test]
fn a_handler_that_panics_is_an_error_and_its_client_sees_the_same() {
    for on in EVERYWHERE {
        let pair = pair(on, || HealthServer::new(Moody));
        let answers = pair.each(|addr| {
            run(async {
                let mut client = HealthClient::new(channel(addr).await);
                let status = client.check(ask("panics")).await.unwrap_err();
                // The connection stays open.
                client.check(ask("")).await.unwrap();
                (status.code(), status.message().to_owned())
            })
        });
        assert_same(on, &answers);
        let expected = Outcomes {
            completed: 1,
            error: 1,
            cancelled: 0,
        };
        assert_outcomes(&pair.layered, expected);
    }
}
