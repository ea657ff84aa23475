//! Answers, and the routes that they are counted under.

use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use tonic::service::Routes;
use tonic::{Code, Response};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::HealthServer;
use tower::layer::Layer;
use tower::util::MapRequestLayer;
use tower_runtime_health::RuntimeHealth;

use super::moody::Moody;
use super::{CHECK, EVERYWHERE, On, as_text, ask, assert_same, channel, health_checks, pair};
use crate::support::{self, Metrics, Outcomes, Server, assert_outcomes, run, settled};
use crate::transparent::http2_client::{self, Answer};

const WATCH: &str = "/grpc.health.v1.Health/Watch";

/// The requests of a method's path, by outcome.
fn by_route(metrics: &Metrics, route: &str) -> [u64; 3] {
    ["completed", "error", "cancelled"].map(|outcome| {
        let labels = [("route", route), ("method", "POST"), ("outcome", outcome)];
        let value = metrics.value("runtime_health_requests_total", &labels);
        value.unwrap_or_default() as u64
    })
}

#[test]
fn check_answers_the_same_and_its_route_is_known_after_the_first_answer() {
    for on in EVERYWHERE {
        let (pair, _reporter) = health_checks(on);
        let answers = pair.each(|addr| {
            run(async {
                let mut client = HealthClient::new(channel(addr).await);
                let mut answers = Vec::new();
                for service in ["", "", "", "unknown"] {
                    answers.push(as_text(client.check(ask(service)).await));
                }
                answers
            })
        });
        assert_same(on, &answers);
        assert!(answers.1[0].contains("Serving"), "{:?}", answers.1);
        assert!(answers.1[3].contains("NotFound"), "{:?}", answers.1);
        let metrics = settled(&pair.layered, 4);
        assert_eq!(by_route(&metrics, CHECK), [3, 0, 0], "{on:?}");
        // Until the first answer, the method is unknown.
        let before = match on {
            On::AxumRouter => "/grpc.health.v1.Health/{*rest}",
            On::TonicServer | On::HyperService => "<unmatched>",
        };
        assert_eq!(by_route(&metrics, before), [1, 0, 0], "{on:?}");
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
                        answers.push(as_text(answer));
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

/// The same URI with another path.
fn at(uri: &Uri, path: &'static str) -> Uri {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path.parse().unwrap());
    Uri::from_parts(parts).unwrap()
}

/// Compares everything that arrives, including trailers, not only what a tonic client returns.
#[test]
fn the_answer_is_the_same_frame_by_frame() {
    for on in EVERYWHERE {
        let (pair, _reporter) = health_checks(on);
        // A message without fields, one for an unknown service, and none.
        let bodies: [&[u8]; 3] = [b"\0\0\0\0\0", b"\0\0\0\0\x03\x0a\x01x", b""];
        let answers = pair.each(|addr| {
            run(async {
                let mut client = http2_client::client(addr).await;
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
        let expected = Outcomes::completed(9);
        assert_outcomes(&pair.layered, expected);
    }
}

#[test]
fn answers_of_every_kind_are_the_same_and_an_error_status_is_completed() {
    for on in EVERYWHERE {
        let pair = pair(on, || HealthServer::new(Moody));
        let answers = pair.each(|addr| {
            run(async {
                let mut client = HealthClient::new(channel(addr).await);
                let mut answers = Vec::new();
                for service in ["", "refuses"] {
                    answers.push(as_text(client.check(ask(service)).await));
                }
                for service in ["", "fails"] {
                    let mut watch = client.watch(ask(service)).await.unwrap().into_inner();
                    loop {
                        let message = watch.message().await.map(Response::new);
                        let last = !matches!(&message, Ok(some) if some.get_ref().is_some());
                        answers.push(as_text(message));
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
        // gRPC sends its status in trailers, so the answer was sent completely.
        let expected = Outcomes::completed(4);
        assert_outcomes(&pair.layered, expected);
    }
}

/// gRPC and plain HTTP on one port.
#[test]
fn grpc_and_http_share_a_layered_router() {
    let grpc = Routes::new(HealthServer::new(Moody)).into_axum_router();
    let http = axum::Router::new().route("/plain", axum::routing::get(|| async { "hello" }));
    let server = Server::axum(RuntimeHealth::builder(), http.merge(grpc));
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
