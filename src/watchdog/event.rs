use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::Cause;
use crate::slot::Phase;

/// What one log event says.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) route: Arc<str>,
    pub(super) method: &'static str,
    pub(super) cause: Cause,
    pub(super) phase: Phase,
    pub(super) thread: Arc<str>,
    pub(super) still_running: bool,
    pub(super) elapsed: Duration,
    /// Blocking polls of this finding since its last event, which had none.
    pub(super) left_out: u64,
}

impl Event {
    /// Logs it. False if the subscriber panicked.
    pub(super) fn log(&self) -> bool {
        let elapsed_ms = u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX);
        catch_unwind(AssertUnwindSafe(|| {
            tracing::warn!(
                target: "tower_runtime_health",
                route = &*self.route,
                method = self.method,
                cause = self.cause.as_str(),
                phase = self.phase.as_str(),
                still_running = self.still_running,
                elapsed_ms,
                thread = &*self.thread,
                left_out = (self.left_out > 0).then_some(self.left_out),
                "a handler blocks the executor"
            );
        }))
        .is_ok()
    }
}
