//! Which labels requests get, over real routers and servers: templates, never
//! what a client sent, and never more of them than were allowed.

#![cfg(all(feature = "server", feature = "axum"))]
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy sees only the functions marked as tests"
)]

mod flood;

use std::convert::Infallible;
use std::future::{Ready, ready};

use crate::support::{self, Metrics, Server, exchange, serve_axum, serve_hyper, settled};
use axum::Router;
use axum::routing::{any, get};
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Empty;
use tower::layer::Layer;
use tower::{Service, ServiceExt, service_fn};
use tower_runtime_health::{Builder, RuntimeHealth};

const REQUESTS: &str = "runtime_health_requests_total";

async fn ok() -> &'static str {
    "ok"
}

/// A router, served with the layer on it.
fn serve(router: Router) -> Server {
    Server::layered(RuntimeHealth::builder(), |listener, layer| {
        serve_axum(listener, router.layer(layer))
    })
}

fn ask(server: &Server, method: &str, path: &str) {
    let request = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    let answer = exchange(server.addr(), request.as_bytes());
    assert!(answer.starts_with(b"HTTP/1.1 "), "{method} {path}");
}

/// All routes with requests that ended, and how many did.
fn routes(metrics: &Metrics) -> Vec<(String, u64)> {
    let routes = metrics.label_values(REQUESTS, "route").into_iter();
    let routes = routes.map(|route| {
        let requests = metrics.sum(REQUESTS, &[("route", &route)]);
        (route, requests as u64)
    });
    routes.collect()
}

/// Asks for all these paths; they are counted under these routes, and no other.
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

#[test]
fn a_route_is_its_template() {
    let router = Router::new()
        .route("/", get(ok))
        .route("/users/{id}", get(ok))
        .route("/users/me", get(ok))
        .route("/files/{*path}", get(ok))
        .route("/{a}/{b}/{c}", get(ok))
        .route_service("/service/{id}", service_fn(empty_for_axum));
    let expected = [
        ("/", "/"),
        ("/?query=7", "/"),
        ("/users/7", "/users/{id}"),
        ("/users/%2e%2e", "/users/{id}"),
        ("/users/me", "/users/me"),
        ("/files/a/b/c", "/files/{*path}"),
        ("/files/..", "/files/{*path}"),
        ("/x/y/z", "/{a}/{b}/{c}"),
        ("/service/7", "/service/{id}"),
    ];
    assert_routes(&serve(router), &expected);
}

async fn empty_for_axum(_: axum::extract::Request) -> Result<Response<Empty<Bytes>>, Infallible> {
    Ok(Response::new(Empty::new()))
}

#[test]
fn nested_routers_have_their_full_templates() {
    let inner = || {
        Router::new()
            .route("/", get(ok))
            .route("/users/{id}", get(ok))
            .nest("/deeper/{level}", Router::new().route("/x", get(ok)))
    };
    let router = Router::new().nest("/api/{version}", inner());
    let expected = [
        ("/api/1", "/api/{version}"),
        ("/api/1/users/7", "/api/{version}/users/{id}"),
        ("/api/2/users/8", "/api/{version}/users/{id}"),
        ("/api/1/deeper/9/x", "/api/{version}/deeper/{level}/x"),
    ];
    assert_routes(&serve(router), &expected);
}

/// axum tells what is nested as a service, and is no route of its own, to
/// nobody outside. A layer on the nested router knows all of the template.
#[test]
fn a_nested_service_is_unmatched_outside_and_known_inside() {
    let inner = || Router::new().route("/users/{id}", get(ok));
    let router = Router::new()
        .nest_service("/api", inner())
        .nest_service("/plain", service_fn(empty_for_axum));
    let expected = [
        ("/api/users/7", "<unmatched>"),
        ("/api/nowhere", "<unmatched>"),
        ("/plain/7", "<unmatched>"),
    ];
    assert_routes(&serve(router), &expected);

    let server = Server::layered(RuntimeHealth::builder(), |listener, layer| {
        let router = Router::new().nest_service("/api", inner().layer(layer));
        serve_axum(listener, router)
    });
    let expected = [
        ("/api/users/7", "/api/users/{id}"),
        ("/api/users/8", "/api/users/{id}"),
        ("/api/nowhere", "<unmatched>"),
    ];
    assert_routes(&server, &expected);
}

#[test]
fn fallbacks_are_unmatched_and_wrong_methods_are_not() {
    for router in [Router::new(), Router::new().fallback(ok)] {
        let router = router.route("/users/{id}", get(ok));
        let server = serve(router);
        for path in ["/", "/nowhere", "/users", "/users/7/8", "/%00"] {
            ask(&server, "GET", path);
        }
        // 405 by the route itself.
        ask(&server, "DELETE", "/users/7");
        let metrics = settled(&server, 6);
        assert_eq!(
            routes(&metrics),
            [("/users/{id}".to_owned(), 1), ("<unmatched>".to_owned(), 5)]
        );
    }
}

#[test]
fn the_fallback_of_a_nested_router_is_not_the_path_that_was_sent() {
    let inner = Router::new().route("/known", get(ok)).fallback(ok);
    let server = serve(Router::new().nest("/api/{version}", inner));
    for path in ["/api/1/known", "/api/1/a", "/api/2/b", "/api/3/c/d"] {
        ask(&server, "GET", path);
    }
    let metrics = settled(&server, 4);
    let names = metrics.label_values(REQUESTS, "route");
    assert_eq!(names, ["/api/{version}/known", "<unmatched>"]);
}

#[test]
fn merged_routers_keep_their_templates() {
    let router = Router::new()
        .route("/a/{id}", get(ok))
        .merge(Router::new().route("/b/{id}", get(ok)))
        .merge(Router::new().nest("/c", Router::new().route("/{id}", get(ok))));
    let expected = [
        ("/a/1", "/a/{id}"),
        ("/b/1", "/b/{id}"),
        ("/c/1", "/c/{id}"),
        ("/d/1", "<unmatched>"),
    ];
    assert_routes(&serve(router), &expected);
}

#[test]
fn only_the_routes_before_the_layer_are_counted() {
    let server = Server::layered(RuntimeHealth::builder(), |listener, layer| {
        let router = Router::new().route("/in", get(ok)).layer(layer);
        serve_axum(listener, router.route("/out", get(ok)))
    });
    ask(&server, "GET", "/out");
    ask(&server, "GET", "/in");
    let metrics = settled(&server, 1);
    assert_eq!(routes(&metrics), [("/in".to_owned(), 1)]);
}

#[test]
fn a_layer_around_a_whole_router_cannot_know_its_templates() {
    let server = Server::layered(RuntimeHealth::builder(), |listener, layer| {
        serve_hyper(
            listener,
            layer.layer(Router::new().route("/a/{id}", get(ok))),
        )
    });
    assert_routes(&server, &[("/a/1", "<unmatched>"), ("/b", "<unmatched>")]);
}

#[test]
fn a_route_layer_counts_what_matched_only() {
    let server = Server::layered(RuntimeHealth::builder(), |listener, layer| {
        let router = Router::new().route("/a/{id}", get(ok)).route_layer(layer);
        serve_axum(listener, router)
    });
    ask(&server, "GET", "/nowhere");
    ask(&server, "GET", "/a/1");
    let metrics = settled(&server, 1);
    assert_eq!(routes(&metrics), [("/a/{id}".to_owned(), 1)]);
}

#[test]
fn methods_are_a_closed_set() {
    let server = serve(Router::new().route("/", any(ok)));
    let known = [
        "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE",
    ];
    let odd = ["get", "PURGE", "PROPFIND", "A-B.C", "GETT", "_OTHER"];
    for method in known.iter().chain(&odd) {
        ask(&server, method, "/");
    }
    let metrics = settled(&server, (known.len() + odd.len()) as u64);
    for method in known {
        let requests = metrics.sum(REQUESTS, &[("route", "/"), ("method", method)]);
        assert_eq!(requests, 1.0, "{method}");
    }
    let others = metrics.sum(REQUESTS, &[("route", "/"), ("method", "_OTHER")]);
    assert_eq!(others, odd.len() as f64);
    let values = metrics.label_values(REQUESTS, "method");
    assert_eq!(values.len(), known.len() + 1, "{values:?}");
}

/// A service of any path, for drives without a socket.
fn anything(request: Request<()>) -> Ready<Result<Response<Empty<Bytes>>, Infallible>> {
    drop(request);
    ready(Ok(Response::new(Empty::new())))
}

/// A `RuntimeHealth` with a runtime to observe.
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

#[test]
fn a_function_names_routes_and_its_none_is_unmatched() {
    let server = Server::layered(RuntimeHealth::builder(), |listener, layer| {
        let layer = layer.route_by(|head| match head.uri().path() {
            // Borrowed, static and made.
            "/static" => Some("named".into()),
            path if path.starts_with("/first/") => {
                path.split('/').nth(1).map(std::borrow::Cow::Borrowed)
            }
            path if path.starts_with("/made") => Some(format!("{} x", head.method()).into()),
            _ => head.headers().get("x-route")?.to_str().ok().map(Into::into),
        });
        serve_hyper(listener, layer.layer(Router::new()))
    });
    let expected = [
        ("/static", "named"),
        ("/first/7", "first"),
        ("/first/8", "first"),
        ("/made", "GET x"),
        ("/none", "<unmatched>"),
    ];
    assert_routes(&server, &expected);
}

#[test]
fn names_with_odd_characters_survive_the_page() {
    let (runtime, health) = health(RuntimeHealth::builder());
    let odd = "/\"quoted\"\\back\nslash\u{e9}{}=,";
    let service = health.layer().route_by(move |_| Some(odd.into()));
    let service = service.layer(service_fn(anything));
    runtime.block_on(service.oneshot(Request::new(()))).unwrap();
    let labels = [("route", odd), ("outcome", "completed")];
    assert_eq!(page(&health).sum(REQUESTS, &labels), 1.0);
}

#[test]
fn routes_over_the_cap_overflow_and_are_counted() {
    let (runtime, health) = health(RuntimeHealth::builder().max_routes(3));
    let layer = health
        .layer()
        .route_by(|head| Some(head.uri().path().to_owned().into()));
    let mut service = layer.layer(service_fn(anything));
    for round in 0..2 {
        for i in 0..10 {
            let request = Request::get(format!("/{i}")).body(()).unwrap();
            drop(runtime.block_on(service.call(request)).unwrap());
        }
        let metrics = page(&health);
        let each = round + 1;
        let mut expected: Vec<_> = (0..3).map(|i| (format!("/{i}"), each)).collect();
        expected.push(("<overflow>".to_owned(), 7 * each));
        assert_eq!(routes(&metrics), expected);
        let overflowed = metrics.value("runtime_health_routes_overflowed_total", &[]);
        assert_eq!(overflowed, Some(7.0 * each as f64));
    }
}

#[test]
fn the_cap_holds_for_the_templates_of_a_router_too() {
    let mut router = Router::new();
    for i in 0..5 {
        router = router.route(&format!("/{i}/{{id}}"), get(ok));
    }
    let server = Server::layered(RuntimeHealth::builder().max_routes(2), |listener, layer| {
        serve_axum(listener, router.layer(layer))
    });
    let expected = [
        ("/0/a", "/0/{id}"),
        ("/1/a", "/1/{id}"),
        ("/2/a", "<overflow>"),
        ("/3/a", "<overflow>"),
        ("/4/a", "<overflow>"),
        ("/1/b", "/1/{id}"),
        ("/nowhere", "<unmatched>"),
    ];
    assert_routes(&server, &expected);
}

/// Answers as tonic does: 12 for methods it does not have.
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

#[test]
fn a_grpc_path_is_a_route_once_it_was_served() {
    let (runtime, health) = health(RuntimeHealth::builder());
    let mut service = health.layer().layer(service_fn(grpc));
    let paths = [
        "/pkg.Service/Known",
        "/pkg.Service/Known",
        "/pkg.Service/Unknown",
        "/pkg.Service/Unknown",
        "/pkg.Service/Known/",
        "/pkg.Service/Known?query",
    ];
    for path in paths {
        drop(runtime.block_on(service.call(grpc_request(path))).unwrap());
    }
    let expected = [("/pkg.Service/Known", 2), ("<unmatched>", 4)];
    let expected = expected.map(|(route, requests)| (route.to_owned(), requests));
    assert_eq!(routes(&page(&health)), expected);
}

#[test]
fn grpc_methods_over_the_cap_overflow_and_are_counted() {
    let (runtime, health) = health(RuntimeHealth::builder().max_routes(1));
    let mut service = health.layer().layer(service_fn(grpc));
    for path in ["Known", "Known", "Late", "Late"] {
        let request = grpc_request(&format!("/pkg.Service/{path}"));
        drop(runtime.block_on(service.call(request)).unwrap());
    }
    // The first was answered before anybody knew that it exists.
    let expected = [
        ("/pkg.Service/Known", 1),
        ("<overflow>", 2),
        ("<unmatched>", 1),
    ];
    let expected = expected.map(|(route, requests)| (route.to_owned(), requests));
    let metrics = page(&health);
    assert_eq!(routes(&metrics), expected);
    let overflowed = metrics.value("runtime_health_routes_overflowed_total", &[]);
    assert_eq!(overflowed, Some(2.0));
}
