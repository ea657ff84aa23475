//! Row 14: a slow external API, in three forms.

use axum::extract::Path;
use tower_runtime_health::spawn_blocking;

use super::{App, AppState, Result};

pub async fn sync(app: App, Path(city): Path<String>) -> Result<String> {
    let mut response = app.agent.get(url(&app, &city)).call()?;
    Ok(response.body_mut().read_to_string()?)
}

pub async fn awaited(app: App, Path(city): Path<String>) -> Result<String> {
    let response = app.http.get(url(&app, &city)).send().await?;
    Ok(response.error_for_status()?.text().await?)
}

pub async fn pool(app: App, Path(city): Path<String>) -> Result<String> {
    let weather = spawn_blocking(move || -> Result<String> {
        let mut response = app.agent.get(url(&app, &city)).call()?;
        Ok(response.body_mut().read_to_string()?)
    });
    weather.await?
}

fn url(app: &AppState, city: &str) -> String {
    format!("http://{}/weather/{city}", app.upstream)
}
