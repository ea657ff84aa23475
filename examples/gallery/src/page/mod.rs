//! The page at `/`: each row with a button and the layer's report.

mod html;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};

use crate::driver::Driver;
use crate::table;

/// Returns the routes of the page. The layer is not on them.
pub fn router(driver: Driver) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/gallery/page.js", get(script))
        .route("/gallery/style.css", get(style))
        .route("/gallery/try/{id}", post(try_row))
        .with_state(driver)
}

async fn index() -> Response {
    let own_content_only = [(CONTENT_SECURITY_POLICY, "default-src 'self'")];
    (own_content_only, Html(html::page(table::GROUPS))).into_response()
}

async fn script() -> impl IntoResponse {
    let content_type = [(CONTENT_TYPE, "text/javascript; charset=utf-8")];
    (content_type, include_str!("page.js"))
}

async fn style() -> impl IntoResponse {
    let content_type = [(CONTENT_TYPE, "text/css; charset=utf-8")];
    (content_type, include_str!("style.css"))
}

/// Tries the row and returns the outcome.
async fn try_row(State(driver): State<Driver>, Path(id): Path<String>) -> Response {
    let Some(row) = table::row(&id) else {
        return (StatusCode::NOT_FOUND, "no such row\n").into_response();
    };
    match driver.try_row(row).await {
        Some(outcome) => Json(outcome).into_response(),
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the gallery is shutting down\n",
        )
            .into_response(),
    }
}
