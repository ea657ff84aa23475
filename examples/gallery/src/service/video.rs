//! Rows 7 and 8: a long computation.

use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{App, AppError, Result};
use crate::table::Needs;
use crate::video::encode;

pub async fn inline(app: App) -> Json<serde_json::Value> {
    let frames = encode(app.work);
    Json(json!({ "frames": frames }))
}

/// Puts the job on the queue in the process.
pub async fn queued(app: App) -> Result<Response> {
    let id = app.cpu.push(app.work).ok_or(AppError::Full)?;
    Ok(accepted(&id))
}

/// Puts the job on the queue in Redis.
pub async fn jobs(app: App) -> Result<Response> {
    let jobs = app.jobs.as_ref().ok_or(AppError::Missing(Needs::Redis))?;
    let id = jobs.push(app.work).await?;
    Ok(accepted(&id))
}

/// Returns the state of a job on either queue.
pub async fn state(app: App, Path(id): Path<String>) -> Result<Response> {
    let mut state = app.cpu.state(&id);
    if let (None, Some(jobs)) = (state, &app.jobs) {
        state = jobs.state(&id).await?;
    }
    Ok(match state {
        Some(state) => Json(json!({ "id": id, "state": state })).into_response(),
        None => (StatusCode::NOT_FOUND, "no such job\n").into_response(),
    })
}

fn accepted(id: &str) -> Response {
    let location = [(LOCATION, format!("/jobs/{id}"))];
    (StatusCode::ACCEPTED, location, Json(json!({ "id": id }))).into_response()
}
