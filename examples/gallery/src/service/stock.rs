//! Row 17: a lock that one request holds while others want it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tower_runtime_health::spawn_blocking;

use super::{App, Parts, Result};

/// What is left, and how often it has been reloaded.
#[derive(Default)]
pub struct Stock(Mutex<Level>);

type Level = (u64, u64);

/// Every request wants the stock reloaded and reads it while that goes on. The reload is
/// where it belongs, on the pool; but it holds the lock all the while.
pub async fn held(app: App) -> Result<String> {
    let parts = app.0.clone();
    let reload = spawn_blocking(move || {
        let mut stock = parts.stock.0.lock().unwrap_or_else(PoisonError::into_inner);
        *stock = reloaded(parts.work, *stock);
    });
    begun(&app).await;
    let (left, _) = *app.stock.0.lock().unwrap_or_else(PoisonError::into_inner);
    reload.await?;
    Ok(format!("{left} left\n"))
}

/// The reload takes the lock when it has what it wants to store.
pub async fn swapped(app: App) -> Result<String> {
    let parts = app.0.clone();
    let reload = spawn_blocking(move || {
        let before = *parts.stock.0.lock().unwrap_or_else(PoisonError::into_inner);
        let after = reloaded(parts.work, before);
        *parts.stock.0.lock().unwrap_or_else(PoisonError::into_inner) = after;
    });
    begun(&app).await;
    let (left, _) = *app.stock.0.lock().unwrap_or_else(PoisonError::into_inner);
    reload.await?;
    Ok(format!("{left} left\n"))
}

/// Long enough for a reload to have begun.
async fn begun(app: &Parts) {
    tokio::time::sleep(app.work / 20).await;
}

/// Asks whoever knows.
fn reloaded(work: Duration, (left, times): Level) -> Level {
    std::thread::sleep(work);
    (left + 10, times + 1)
}
