//! What the watchdog and the pool monitor see, and when. One test at a time: a test that
//! blocks workers or fills a pool takes the processors from any other, and threads of a
//! runtime with tokio's default names count for every pool in the process.

mod blocking_pool;
mod blocking_wrapper;
mod pool_saturated;
mod pool_stuck;
mod pool_threads;
mod runtime;
mod stuck;
#[path = "../support/mod.rs"]
mod support;
mod watchdog;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held by each test from its beginning to its end. A test that failed has not left
/// anything that the next one could be harmed by.
fn alone() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}
