//! Methods, and routes named by the user's function.

use axum::Router;
use axum::routing::any;
use http::Request;
use tower::layer::Layer;
use tower::{ServiceExt, service_fn};
use tower_runtime_health::RuntimeHealth;

use super::{REQUESTS, anything, ask, assert_routes, health, ok, page, serve};
use crate::support::{Server, serve_hyper, settled};

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

#[test]
fn a_function_names_routes_and_its_none_is_unmatched() {
    let server = Server::layered(RuntimeHealth::builder(), |listener, layer| {
        let layer = layer.route_by(|head| match head.uri().path() {
            // Static, borrowed and owned.
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
fn names_with_special_characters_are_escaped_on_the_page() {
    let (runtime, health) = health(RuntimeHealth::builder());
    let odd = "/\"quoted\"\\back\nslash\u{e9}{}=,";
    let service = health.layer().route_by(move |_| Some(odd.into()));
    let service = service.layer(service_fn(anything));
    runtime.block_on(service.oneshot(Request::new(()))).unwrap();
    let labels = [("route", odd), ("outcome", "completed")];
    assert_eq!(page(&health).sum(REQUESTS, &labels), 1.0);
}
