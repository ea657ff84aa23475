//! Routes of axum routers.

use std::convert::Infallible;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::Response;
use http_body_util::Empty;
use tower::layer::Layer;
use tower::service_fn;
use tower_runtime_health::RuntimeHealth;

use super::{REQUESTS, ask, assert_routes, ok, routes, serve};
use crate::support::{Server, serve_axum, serve_hyper, settled};

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

/// Outside of a service nested with `nest_service`, axum sets no `MatchedPath`. A layer on the
/// nested router sees the whole template.
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
        // The route itself answers 405.
        ask(&server, "DELETE", "/users/7");
        let metrics = settled(&server, 6);
        assert_eq!(
            routes(&metrics),
            [("/users/{id}".to_owned(), 1), ("<unmatched>".to_owned(), 5)]
        );
    }
}

#[test]
fn the_fallback_of_a_nested_router_is_unmatched() {
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
fn a_route_layer_counts_only_matched_requests() {
    let server = Server::layered(RuntimeHealth::builder(), |listener, layer| {
        let router = Router::new().route("/a/{id}", get(ok)).route_layer(layer);
        serve_axum(listener, router)
    });
    ask(&server, "GET", "/nowhere");
    ask(&server, "GET", "/a/1");
    let metrics = settled(&server, 1);
    assert_eq!(routes(&metrics), [("/a/{id}".to_owned(), 1)]);
}
