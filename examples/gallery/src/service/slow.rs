//! Row 15: what fills a blocking pool.

use super::{App, Result};
use tower_runtime_health::spawn_blocking;

pub async fn pool(app: App) -> Result<&'static str> {
    // Not the closure of row 2: the compiler merges what is the same, and the place would
    // be that one's.
    spawn_blocking(move || std::thread::sleep(5 * app.work)).await?;
    Ok("slow\n")
}

pub async fn awaited(app: App) -> &'static str {
    tokio::time::sleep(5 * app.work).await;
    "slow\n"
}
