//! The labels that requests get from real routers and servers: route templates, never what a
//! client sent, and never more of them than the cap allows.

mod cap;
mod flood;
mod grpc;
mod names;
mod routers;

use std::convert::Infallible;
use std::future::{Ready, ready};

use axum::Router;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Empty;
use tower_runtime_health::{Builder, RuntimeHealth};

use crate::support::{self, Metrics, Server, exchange, settled};

const REQUESTS: &str = "runtime_health_requests_total";

async fn ok() -> &'static str {
    "ok"
}

fn serve(router: Router) -> Server {
    Server::axum(RuntimeHealth::builder(), router)
}

fn ask(server: &Server, method: &str, path: &str) {
    let request = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    let answer = exchange(server.addr(), request.as_bytes());
    assert!(answer.starts_with(b"HTTP/1.1 "), "{method} {path}");
}

/// The routes with ended requests, and their number.
fn routes(metrics: &Metrics) -> Vec<(String, u64)> {
    let routes = metrics.label_values(REQUESTS, "route").into_iter();
    let routes = routes.map(|route| {
        let requests = metrics.sum(REQUESTS, &[("route", &route)]);
        (route, requests as u64)
    });
    routes.collect()
}

/// Requests each path, and asserts that the requests are counted under these routes only.
#[track_caller]
fn assert_routes(server: &Server, expected: &[(&str, &str)]) {
    for (path, _) in expected {
        ask(server, "GET", path);
    }
    let mut counts = std::collections::BTreeMap::new();
    for (_, route) in expected {
        *counts.entry((*route).to_owned()).or_insert(0) += 1;
    }
    let metrics = settled(server, expected.len() as u64);
    let expected: Vec<_> = counts.into_iter().collect();
    assert_eq!(routes(&metrics), expected);
}

/// A service that answers every path, for tests without a socket.
fn anything(request: Request<()>) -> Ready<Result<Response<Empty<Bytes>>, Infallible>> {
    drop(request);
    ready(Ok(Response::new(Empty::new())))
}

/// An instance, and the runtime that it observes.
fn health(options: Builder) -> (tokio::runtime::Runtime, RuntimeHealth) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let health = options.observe_runtime(runtime.handle(), "main");
    let health = health.serve_metrics(support::LOOPBACK).start().unwrap();
    (runtime, health)
}

fn page(health: &RuntimeHealth) -> Metrics {
    support::scrape(health.metrics_addr().unwrap())
}

/// Answers as tonic does: with the status 12 for unknown methods.
fn grpc(request: Request<()>) -> Ready<Result<Response<Empty<Bytes>>, Infallible>> {
    let known = request.uri().path() == "/pkg.Service/Known";
    let mut response = Response::new(Empty::new());
    let headers = response.headers_mut();
    let grpc = HeaderValue::from_static("application/grpc");
    headers.insert("content-type", grpc);
    if !known {
        headers.insert("grpc-status", HeaderValue::from_static("12"));
    }
    ready(Ok(response))
}

fn grpc_request(path: &str) -> Request<()> {
    Request::post(path)
        .header("content-type", "application/grpc")
        .body(())
        .unwrap()
}
