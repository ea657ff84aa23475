//! The cap on the number of routes.

use axum::Router;
use axum::routing::get;
use http::Request;
use tower::layer::Layer;
use tower::{Service, service_fn};
use tower_runtime_health::RuntimeHealth;

use super::{anything, assert_routes, grpc, grpc_request, health, ok, page, routes};
use crate::support::Server;

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
    let server = Server::axum(RuntimeHealth::builder().max_routes(2), router);
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

#[test]
fn grpc_methods_over_the_cap_overflow_and_are_counted() {
    let (runtime, health) = health(RuntimeHealth::builder().max_routes(1));
    let mut service = health.layer().layer(service_fn(grpc));
    for path in ["Known", "Known", "Late", "Late"] {
        let request = grpc_request(&format!("/pkg.Service/{path}"));
        drop(runtime.block_on(service.call(request)).unwrap());
    }
    // Until the first answer it is unknown whether the method exists.
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
