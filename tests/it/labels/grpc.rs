//! Routes of gRPC methods, for which no router has a template.

use tower::layer::Layer;
use tower::{Service, service_fn};
use tower_runtime_health::RuntimeHealth;

use super::{grpc, grpc_request, health, page, routes};

#[test]
fn a_grpc_path_is_a_route_once_it_was_answered() {
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
