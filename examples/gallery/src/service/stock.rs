//! Row 17: a lock that one request holds while others wait for it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tower_runtime_health::spawn_blocking;

use super::{App, AppState, Result};

/// The number of items, and of reloads.
#[derive(Default)]
pub struct Stock(Mutex<Level>);

type Level = (u64, u64);

/// Starts a reload and reads the stock during it. The reload runs on the pool, as it should, but
/// holds the lock all the time.
pub async fn held(app: App) -> Result<String> {
    let state = app.0.clone();
    let reload = spawn_blocking(move || {
        let mut stock = state.stock.0.lock().unwrap_or_else(PoisonError::into_inner);
        *stock = reload_slowly(state.work, *stock);
    });
    reload_started(&app).await;
    let (left, _) = *app.stock.0.lock().unwrap_or_else(PoisonError::into_inner);
    reload.await?;
    Ok(format!("{left} left\n"))
}

/// The reload takes the lock only to read the old value and to store the new one.
pub async fn swapped(app: App) -> Result<String> {
    let state = app.0.clone();
    let reload = spawn_blocking(move || {
        let before = *state.stock.0.lock().unwrap_or_else(PoisonError::into_inner);
        let after = reload_slowly(state.work, before);
        *state.stock.0.lock().unwrap_or_else(PoisonError::into_inner) = after;
    });
    reload_started(&app).await;
    let (left, _) = *app.stock.0.lock().unwrap_or_else(PoisonError::into_inner);
    reload.await?;
    Ok(format!("{left} left\n"))
}

/// Waits long enough for a reload to start.
async fn reload_started(app: &AppState) {
    tokio::time::sleep(app.work / 20).await;
}

/// Sleeps, in place of a query of a slow database.
fn reload_slowly(work: Duration, (left, times): Level) -> Level {
    std::thread::sleep(work);
    (left + 10, times + 1)
}
