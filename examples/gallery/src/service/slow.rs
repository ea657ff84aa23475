//! Row 15: requests that fill the blocking pool.

use super::{App, Result};
use tower_runtime_health::spawn_blocking;

pub async fn pool(app: App) -> Result<&'static str> {
    // The factor makes this closure differ from row 2's. The linker may merge identical
    // functions, and the place would then name the other one.
    spawn_blocking(move || std::thread::sleep(5 * app.work)).await?;
    Ok("slow\n")
}

pub async fn awaited(app: App) -> &'static str {
    tokio::time::sleep(5 * app.work).await;
    "slow\n"
}
