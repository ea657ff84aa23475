//! gRPC: a tonic client receives the same from a layered service as from a bare one, with the layer
//! on tonic's server, on an axum router with tonic's routes, or on one tonic service served by
//! hyper. The route of a call is its method's path.

mod answers;
mod ends;
mod moody;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::HealthReporter;
use tower::layer::Layer;
use tower_runtime_health::{RuntimeHealth, RuntimeHealthLayer};

use crate::support::{Pair, Server, serve_hyper};

const CHECK: &str = "/grpc.health.v1.Health/Check";

/// What the layer is on.
#[derive(Clone, Copy, Debug)]
enum On {
    TonicServer,
    AxumRouter,
    HyperService,
}

const EVERYWHERE: [On; 3] = [On::TonicServer, On::AxumRouter, On::HyperService];

/// A service of health checks, bare and layered, and the reporter that sets its answers.
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

/// The comparable parts of an answer as text: its message or status, and its metadata in order,
/// without the date.
fn as_text<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> String {
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

#[track_caller]
fn assert_same<T: PartialEq + std::fmt::Debug>(on: On, answers: &(T, T)) {
    assert_eq!(answers.0, answers.1, "on {on:?}, bare and layered");
}
