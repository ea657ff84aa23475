//! HTTP/1 through `Router::layer`.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{any, get, post};

use super::{cases, request, same_answer};
use crate::support::{Outcomes, Pair, settled};

/// A router with routes, services and nested routers.
fn router() -> Router {
    async fn upload(body: axum::body::Bytes) -> String {
        format!("{} bytes", body.len())
    }
    async fn chunks() -> axum::body::Body {
        let parts = ["one", "two"].map(Ok::<_, std::convert::Infallible>);
        axum::body::Body::from_stream(futures_util::stream::iter(parts))
    }
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route(
            "/users/{id}",
            get(|| async { "a user" }).delete(|| async {}),
        )
        .route("/upload", post(upload))
        .route("/chunks", get(chunks))
        .route("/teapot", any(|| async { StatusCode::IM_A_TEAPOT }))
        .route("/gone", get(|| async { StatusCode::NO_CONTENT }))
        .route_service("/cases/{*rest}", tower::service_fn(inner))
        .nest("/nested", Router::new().route("/a", get(|| async { "a" })))
}

/// A plain body, and one that fails.
async fn inner(
    request: axum::extract::Request,
) -> Result<http::Response<axum::body::Body>, std::convert::Infallible> {
    let path = request.uri().path();
    let body = match path {
        "/cases/fails" => {
            let parts = [Ok("one"), Err(cases::FAILED)];
            axum::body::Body::from_stream(futures_util::stream::iter(parts))
        }
        _ => axum::body::Body::from("any"),
    };
    Ok(http::Response::new(body))
}

#[test]
fn a_layered_axum_router_answers_like_a_bare_one() {
    let pair = Pair::axum(router());
    let requests = [
        ("GET", "/", "200 OK"),
        ("HEAD", "/", "200 OK"),
        ("POST", "/", "405 Method Not Allowed"),
        ("OPTIONS", "/", "405 Method Not Allowed"),
        ("GET", "/users/7", "200 OK"),
        ("HEAD", "/users/7", "200 OK"),
        ("DELETE", "/users/7", "200 OK"),
        ("PURGE", "/users/7", "405 Method Not Allowed"),
        ("GET", "/chunks", "200 OK"),
        ("HEAD", "/chunks", "200 OK"),
        ("PROPFIND", "/teapot", "418 I'm a teapot"),
        ("GET", "/gone", "204 No Content"),
        ("GET", "/nested/a", "200 OK"),
        ("GET", "/nested", "404 Not Found"),
        ("GET", "/cases/any", "200 OK"),
        ("GET", "/nowhere", "404 Not Found"),
        ("HEAD", "/nowhere", "404 Not Found"),
    ];
    for (method, path, status) in requests {
        let answer = same_answer(&pair, &request(method, path, ""));
        let line = format!("HTTP/1.1 {status}\r\n");
        assert!(answer.starts_with(&line), "{method} {path}: {answer}");
    }
    let upload = request("POST", "/upload", "content-length: 3\r\n") + "abc";
    let answer = same_answer(&pair, &upload);
    assert!(answer.ends_with("3 bytes"), "{answer}");
    let answer = same_answer(&pair, &request("GET", "/cases/fails", ""));
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");

    let metrics = settled(&pair.layered, requests.len() as u64 + 2);
    let expected = Outcomes {
        completed: requests.len() as u64 + 1,
        error: 1,
        cancelled: 0,
    };
    assert_eq!(Outcomes::of(&metrics), expected);
}
