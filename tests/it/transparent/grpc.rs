//! gRPC: a tonic client cannot tell a layered service from a bare one, whether
//! the layer is on tonic's server, on an axum router with tonic's routes, or on
//! one tonic service with bare hyper. Routes are the methods' paths.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy sees only the functions marked as tests"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::moody::Moody;
use crate::http2::{self, Answer};
use crate::support::{
    self, DEADLINE, Metrics, Outcomes, Pair, Server, assert_outcomes, run, serve_axum, serve_hyper,
    settled, wait_for,
};
use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status};
use tonic_health::ServingStatus::Serving;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::HealthReporter;
use tower::layer::Layer;
use tower::util::MapRequestLayer;
use tower_runtime_health::{RuntimeHealth, RuntimeHealthLayer};

const CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";

/// Where the layer can be.
#[derive(Clone, Copy, Debug)]
enum On {
    TonicServer,
    AxumRouter,
    HyperService,
}

const EVERYWHERE: [On; 3] = [On::TonicServer, On::AxumRouter, On::HyperService];

/// One service of health checks, bare and layered, and what sets its answers.
fn health_checks(on: On) -> (Pair, HealthReporter) {
    let reporter = HealthReporter::new();
    let service = || {
        let service = tonic_health::server::HealthService::from_health_reporter(reporter.clone());
        HealthServer::new(service)
    };
    (pair(on, service), reporter)
}

fn pair<T: Health>(on: On, service: impl Fn() -> HealthServer<T>) -> Pair {
    let options = RuntimeHealth::builder;
    match on {
        On::TonicServer => Pair {
            bare: Server::bare(|listener| serve_tonic(listener, None, service())),
            layered: Server::layered(options(), |listener, layer| {
                serve_tonic(listener, Some(layer), service())
            }),
        },
        On::AxumRouter => Pair::axum(Routes::new(service()).into_axum_router()),
        On::HyperService => Pair {
            bare: Server::bare(|listener| serve_hyper(listener, service())),
            layered: Server::layered(options(), |listener, layer| {
                serve_hyper(listener, layer.layer(service()))
            }),
        },
    }
}

async fn serve_tonic<T: Health>(
    listener: TcpListener,
    layer: Option<RuntimeHealthLayer>,
    service: HealthServer<T>,
) {
    let incoming = TcpIncoming::from(listener);
    let server = tonic::transport::Server::builder();
    let served = match layer {
        Some(layer) => {
            let mut server = server.layer(layer);
            server
                .add_service(service)
                .serve_with_incoming(incoming)
                .await
        }
        None => {
            let mut server = server;
            server
                .add_service(service)
                .serve_with_incoming(incoming)
                .await
        }
    };
    served.unwrap();
}

async fn channel(addr: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{addr}")).unwrap();
    endpoint.connect().await.unwrap()
}

fn ask(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

/// What can be compared of an answer: its message, code, text and metadata, in
/// order, without the date.
fn told<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> String {
    let (what, metadata) = match answer {
        Ok(answer) => {
            let (metadata, message, _) = answer.into_parts();
            (format!("{message:?}"), metadata)
        }
        Err(status) => {
            let what = format!("{:?} {:?}", status.code(), status.message());
            (what, status.metadata().clone())
        }
    };
    let headers = metadata.into_headers();
    let headers: BTreeMap<_, _> = headers
        .iter()
        .filter(|(name, _)| *name != http::header::DATE)
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    format!("{what} {headers:?}")
}

/// The requests of a method's path, by outcome.
fn by_route(metrics: &Metrics, route: &str) -> [u64; 3] {
    ["completed", "error", "cancelled"].map(|outcome| {
        let labels = [("route", route), ("method", "POST"), ("outcome", outcome)];
        let value = metrics.value("runtime_health_requests_total", &labels);
        value.unwrap_or_default() as u64
    })
}

#[track_caller]
fn assert_same<T: PartialEq + std::fmt::Debug>(on: On, answers: &(T, T)) {
    assert_eq!(answers.0, answers.1, "on {on:?}, bare and layered");
}

#[test]
fn check_answers_the_same_and_is_known_by_its_path_after_the_first() {
    for on in EVERYWHERE {
        let (pair, _reporter) = health_checks(on);
        let answers = pair.each(|addr| {
            run(async {
                let mut client = HealthClient::new(channel(addr).await);
                let mut answers = Vec::new();
                for service in ["", "", "", "unknown"] {
                    answers.push(told(client.check(ask(service)).await));
                }
                answers
            })
        });
        assert_same(on, &answers);
        assert!(answers.1[0].contains("Serving"), "{:?}", answers.1);
        assert!(answers.1[3].contains("NotFound"), "{:?}", answers.1);
        let metrics = settled(&pair.layered, 4);
        assert_eq!(by_route(&metrics, CHECK), [3, 0, 0], "{on:?}");
        // What was not known before the first answer.
        let before = match on {
            On::AxumRouter => "/grpc.health.v1.Health/{*rest}",
            On::TonicServer | On::HyperService => "<unmatched>",
        };
        assert_eq!(by_route(&metrics, before), [1, 0, 0], "{on:?}");
    }
}

#[test]
fn watch_streams_the_same_until_either_side_ends_it() {
    for on in EVERYWHERE {
        let (pair, mut reporter) = health_checks(on);
        // Each server streams to one client after the other.
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
                    // It has arrived before the other one is ended.
                    wait_for(DEADLINE, || {
                        Outcomes::of(&pair.layered.metrics()).cancelled == 1
                    });
                }
                reporter.clear_service_status("some").await;
                while let Some(message) = ended.message().await.unwrap() {
                    seen.push(message.status);
                }
                let unknown = told(
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
fn an_unknown_method_or_service_is_unimplemented_and_never_a_route() {
    for on in EVERYWHERE {
        let (pair, _reporter) = health_checks(on);
        let answers = pair.each(|addr| {
            run(async {
                let channel = channel(addr).await;
                let mut answers = Vec::new();
                for path in ["/grpc.health.v1.Health/Nope", "/no.such.Service/Method"] {
                    for _ in 0..3 {
                        let elsewhere = MapRequestLayer::new(
                            move |mut request: http::Request<tonic::body::Body>| {
                                *request.uri_mut() = at(request.uri(), path);
                                request
                            },
                        );
                        let mut client = HealthClient::new(elsewhere.layer(channel.clone()));
                        let answer = client.check(ask("")).await;
                        assert_eq!(answer.as_ref().unwrap_err().code(), Code::Unimplemented);
                        answers.push(told(answer));
                    }
                }
                answers
            })
        });
        assert_same(on, &answers);
        let metrics = settled(&pair.layered, 6);
        let routes = metrics.label_values("runtime_health_requests_total", "route");
        match on {
            On::AxumRouter => {
                assert_eq!(routes, ["/grpc.health.v1.Health/{*rest}", "<unmatched>"]);
            }
            On::TonicServer | On::HyperService => assert_eq!(routes, ["<unmatched>"]),
        }
    }
}

/// The same place, another path.
fn at(uri: &Uri, path: &'static str) -> Uri {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path.parse().unwrap());
    Uri::from_parts(parts).unwrap()
}

/// All that comes back, trailers and their place included, not only what a
/// tonic client makes of it.
#[test]
fn the_answer_is_the_same_frame_by_frame() {
    for on in EVERYWHERE {
        let (pair, _reporter) = health_checks(on);
        // A message without fields, one for an unknown service, and none.
        let bodies: [&[u8]; 3] = [b"\0\0\0\0\0", b"\0\0\0\0\x03\x0a\x01x", b""];
        let answers = pair.each(|addr| {
            run(async {
                let mut client = http2::client(addr).await;
                let mut answers = Vec::new();
                for path in [CHECK, "/grpc.health.v1.Health/Nope", "/no.such.Service/M"] {
                    for body in bodies {
                        let request = http::Request::post(format!("http://test{path}"))
                            .header("te", "trailers")
                            .header("content-type", "application/grpc")
                            .body(Full::<Bytes>::from(body))
                            .unwrap();
                        let mut answer = Answer::read(client.send_request(request).await).await;
                        answer.headers.remove("date");
                        answers.push(answer);
                    }
                }
                answers
            })
        });
        assert_same(on, &answers);
        let check = &answers.1[0];
        assert_eq!(check.data, [&b"\0\0\0\0\x02\x08\x01"[..]]);
        assert_eq!(check.trailers.as_ref().unwrap()["grpc-status"], "0");
        assert_eq!(answers.1[3].header("grpc-status"), Some("12"));
        let expected = Outcomes {
            completed: 9,
            ..Outcomes::default()
        };
        assert_outcomes(&pair.layered, expected);
    }
}

#[test]
fn answers_of_every_kind_are_the_same_and_a_status_is_no_error() {
    for on in EVERYWHERE {
        let pair = pair(on, || HealthServer::new(Moody));
        let answers = pair.each(|addr| {
            run(async {
                let mut client = HealthClient::new(channel(addr).await);
                let mut answers = Vec::new();
                for service in ["", "refuses"] {
                    answers.push(told(client.check(ask(service)).await));
                }
                for service in ["", "fails"] {
                    let mut watch = client.watch(ask(service)).await.unwrap().into_inner();
                    loop {
                        let message = watch.message().await.map(Response::new);
                        let last = !matches!(&message, Ok(some) if some.get_ref().is_some());
                        answers.push(told(message));
                        if last {
                            break;
                        }
                    }
                }
                answers
            })
        });
        assert_same(on, &answers);
        assert!(answers.1[1].contains("PermissionDenied"), "{:?}", answers.1);
        assert!(answers.1[1].contains("x-why-bin"), "{:?}", answers.1);
        assert!(answers.1.last().unwrap().contains("DataLoss"));
        // gRPC tells its errors in trailers: the answer was handed over whole.
        let expected = Outcomes {
            completed: 4,
            ..Outcomes::default()
        };
        assert_outcomes(&pair.layered, expected);
    }
}

#[test]
fn a_call_that_its_client_gives_up_is_cancelled() {
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
            wait_for(DEADLINE, || {
                let metrics = pair.layered.metrics();
                metrics.sum("runtime_health_requests_in_flight", &[]) == 2.0
            });
            never.abort();
            drop(watch);
            // While the connection is open.
            let expected = Outcomes {
                cancelled: 2,
                ..Outcomes::default()
            };
            assert_outcomes(&pair.layered, expected);
            drop(client);
        });
    }
}

/// tonic keeps the client's time limit outside of the layers on its server.
#[test]
fn a_call_that_exceeds_its_time_is_cancelled_with_the_same_status() {
    let pair = pair(On::TonicServer, || HealthServer::new(Moody));
    let answers = pair.each(|addr| {
        run(async {
            // By hand: a client with a limit would give up by itself.
            let mut client = http2::client(addr).await;
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
    let expected = Outcomes {
        cancelled: 1,
        ..Outcomes::default()
    };
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
                // The connection goes on.
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

/// Two services on one server, and gRPC beside plain HTTP on one port.
#[test]
fn grpc_and_http_share_a_layered_router() {
    let routes = || {
        let grpc = Routes::new(HealthServer::new(Moody)).into_axum_router();
        let http = axum::Router::new().route("/plain", axum::routing::get(|| async { "hello" }));
        http.merge(grpc)
    };
    let server = Server::layered(RuntimeHealth::builder(), |listener, layer| {
        serve_axum(listener, routes().layer(layer))
    });
    run(async {
        let mut client = HealthClient::new(channel(server.addr()).await);
        for _ in 0..2 {
            client.check(ask("")).await.unwrap();
            let mut watch = client.watch(ask("")).await.unwrap().into_inner();
            while watch.message().await.unwrap().is_some() {}
        }
    });
    assert_eq!(support::get(server.addr(), "/plain").body, "hello");
    let metrics = settled(&server, 5);
    assert_eq!(by_route(&metrics, CHECK), [1, 0, 0]);
    assert_eq!(by_route(&metrics, WATCH), [1, 0, 0]);
    let wildcard = "/grpc.health.v1.Health/{*rest}";
    assert_eq!(by_route(&metrics, wildcard), [2, 0, 0]);
    let plain = [("route", "/plain"), ("outcome", "completed")];
    assert_eq!(metrics.sum("runtime_health_requests_total", &plain), 1.0);
}
