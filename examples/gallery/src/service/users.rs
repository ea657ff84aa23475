//! Rows 4 to 6: a user from another service.

use axum::Json;
use axum::extract::Path;
use serde::{Deserialize, Serialize};
use tower_runtime_health::spawn_blocking;

use super::{App, AppState, Result};

#[derive(Deserialize, Serialize)]
pub struct User {
    id: u64,
    name: String,
}

pub async fn sync(app: App, Path(id): Path<u64>) -> Result<Json<User>> {
    let mut response = app.agent.get(url(&app, id)).call()?;
    Ok(Json(response.body_mut().read_json()?))
}

pub async fn awaited(app: App, Path(id): Path<u64>) -> Result<Json<User>> {
    let response = app.http.get(url(&app, id)).send().await?;
    Ok(Json(response.error_for_status()?.json().await?))
}

pub async fn pool(app: App, Path(id): Path<u64>) -> Result<Json<User>> {
    let user = spawn_blocking(move || -> Result<User> {
        let mut response = app.agent.get(url(&app, id)).call()?;
        Ok(response.body_mut().read_json()?)
    });
    Ok(Json(user.await??))
}

fn url(app: &AppState, id: u64) -> String {
    format!("http://{}/users/{id}", app.upstream)
}
