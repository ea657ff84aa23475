//! Rows 1 to 3: three ways to wait.

use super::App;
use tower_runtime_health::spawn_blocking;

pub async fn terrible(app: App) -> &'static str {
    std::thread::sleep(app.work);
    "pong\n"
}

pub async fn good(app: App) -> super::Result<&'static str> {
    let work = app.work;
    spawn_blocking(move || std::thread::sleep(work)).await?;
    Ok("pong\n")
}

pub async fn perfect(app: App) -> &'static str {
    tokio::time::sleep(app.work).await;
    "pong\n"
}
