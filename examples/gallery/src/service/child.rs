//! Row 18: a child process does the work.

use super::{App, AppState, Result};

pub async fn sync(app: App) -> Result<String> {
    let output = std::process::Command::new("sleep")
        .arg(seconds(&app))
        .output()?;
    Ok(format!("{}\n", output.status))
}

pub async fn awaited(app: App) -> Result<String> {
    let mut command = tokio::process::Command::new("sleep");
    let output = command
        .arg(seconds(&app))
        .kill_on_drop(true)
        .output()
        .await?;
    Ok(format!("{}\n", output.status))
}

fn seconds(app: &AppState) -> String {
    app.work.as_secs_f64().to_string()
}
