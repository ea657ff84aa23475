//! Rows 7 and 8: a computation of seconds.

use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{App, Failed, Result};
use crate::table::Needs;
use crate::video::encode;

pub async fn inline(app: App) -> Json<serde_json::Value> {
    let frames = encode(app.work);
    Json(json!({ "frames": frames }))
}

/// On the queue of the process.
pub async fn queued(app: App) -> Result<Response> {
    let id = app.cpu.push(app.work).ok_or(Failed::Full)?;
    Ok(accepted(&id))
}

/// On the queue in Redis.
pub async fn jobs(app: App) -> Result<Response> {
    let jobs = app.jobs.as_ref().ok_or(Failed::Missing(Needs::Redis))?;
    let id = jobs.push(app.work).await?;
    Ok(accepted(&id))
}

/// What became of a job of either queue.
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
