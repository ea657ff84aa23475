//! Rows 12 and 13: a file on a slow disk.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::{App, Result};

pub async fn sync(app: App, Path(name): Path<String>) -> Result<Response> {
    let Some(path) = app.disk.path(&name) else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    Ok(std::fs::read_to_string(path)?.into_response())
}

pub async fn awaited(app: App, Path(name): Path<String>) -> Result<Response> {
    let Some(path) = app.disk.path(&name) else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    Ok(tokio::fs::read_to_string(path).await?.into_response())
}
