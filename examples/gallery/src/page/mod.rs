//! The page at `/`: each pair with a button, and what the layer said beside it.

mod html;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};

use crate::driver::Driver;
use crate::table;

/// Beside the service's own routes; the layer is not on these.
pub fn router(driver: Driver) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/gallery/page.js", get(script))
        .route("/gallery/style.css", get(style))
        .route("/gallery/try/{id}", post(try_row))
        .with_state(driver)
}

async fn index() -> Response {
    let only_ours = [(CONTENT_SECURITY_POLICY, "default-src 'self'")];
    (only_ours, Html(html::page(table::GROUPS))).into_response()
}

async fn script() -> impl IntoResponse {
    let kind = [(CONTENT_TYPE, "text/javascript; charset=utf-8")];
    (kind, include_str!("page.js"))
}

async fn style() -> impl IntoResponse {
    let kind = [(CONTENT_TYPE, "text/css; charset=utf-8")];
    (kind, include_str!("style.css"))
}

/// Sends the row's requests and answers with what came of them.
async fn try_row(State(driver): State<Driver>, Path(id): Path<String>) -> Response {
    let Some(row) = table::row(&id) else {
        return (StatusCode::NOT_FOUND, "no such row\n").into_response();
    };
    match driver.try_row(row).await {
        Some(outcome) => Json(outcome).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "the gallery is ending\n").into_response(),
    }
}
