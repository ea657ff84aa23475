//! tokio's hooks that run before and after the poll of a task.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Builder;

/// From this duration a poll counts as long: our default threshold.
pub const LONG: Duration = Duration::from_millis(10);

static LONG_POLLS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static POLLS: Cell<u64> = const { Cell::new(0) };
    static START: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Sets hooks that count polls: the least that hooks cost.
pub fn count_polls(builder: &mut Builder) {
    builder
        .on_before_task_poll(|_| POLLS.set(POLLS.get() + 1))
        .on_after_task_poll(|_| ());
}

/// Sets hooks that read the clock before and after a poll and count the long ones: the least
/// that a detector of long polls needs.
pub fn time_polls(builder: &mut Builder) {
    builder
        .on_before_task_poll(|_| {
            POLLS.set(POLLS.get() + 1);
            START.set(Some(Instant::now()));
        })
        .on_after_task_poll(|_| {
            if START.take().is_some_and(|start| start.elapsed() >= LONG) {
                LONG_POLLS.fetch_add(1, Ordering::Relaxed);
            }
        });
}

/// Returns the polls on the calling thread that a hook has seen.
pub fn polls() -> u64 {
    POLLS.get()
}
