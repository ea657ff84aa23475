use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::Diagnosis;
use super::advice::advice;
use super::format::{Chain, millis};
use crate::capture::CaptureMode;
use crate::model::{Cause, Phase};

/// Logs that the watchdog has started and how it reads threads. Returns false if the
/// subscriber panicked.
pub(crate) fn log_start(capture: CaptureMode, threshold: Duration) -> bool {
    catch_unwind(AssertUnwindSafe(|| {
        tracing::info!(
            target: "tower_runtime_health",
            capture = capture.as_str(),
            threshold_ms = millis(threshold),
            "watching for handlers that block the executor"
        );
    }))
    .is_ok()
}

/// The content of one log event.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(super) route: Arc<str>,
    pub(super) method: &'static str,
    pub(super) cause: Cause,
    pub(super) phase: Phase,
    pub(super) thread: Arc<str>,
    pub(super) still_running: bool,
    pub(super) elapsed: Duration,
    /// How many events of this finding the rate limit has suppressed since its last one.
    pub(super) suppressed_events: u64,
    pub(super) diagnosis: Option<Arc<Diagnosis>>,
}

impl Event {
    /// Logs the event. Returns false if the subscriber panicked.
    ///
    /// No field contains a newline, because log collectors split at newlines. A poll that was
    /// only delayed by CPU contention is logged at INFO. A poll inside `block_in_place` is not
    /// logged.
    pub(crate) fn log(&self) -> bool {
        catch_unwind(AssertUnwindSafe(|| self.emit())).is_ok()
    }

    fn emit(&self) {
        let diagnosis = self.diagnosis.as_deref();
        let times = diagnosis.and_then(|diagnosis| diagnosis.times);
        let stack = diagnosis.and_then(|diagnosis| diagnosis.stack.as_deref());
        macro_rules! event {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    target: "tower_runtime_health",
                    route = &*self.route,
                    method = self.method,
                    cause = self.cause.as_str(),
                    phase = self.phase.as_str(),
                    still_running = self.still_running,
                    elapsed_ms = millis(self.elapsed),
                    thread = &*self.thread,
                    at = stack.and_then(|stack| stack.place.as_ref()).map(tracing::field::display),
                    on = diagnosis.and_then(|diagnosis| diagnosis.call.as_deref()),
                    fix = advice(self.cause),
                    on_cpu_ms = times.map(|times| millis(times.on_cpu)),
                    waiting_ms = times.map(|times| millis(times.waiting)),
                    blocked_ms = times.map(|times| millis(times.blocked)),
                    lateness_ms = diagnosis.map(|diagnosis| millis(diagnosis.lateness)),
                    confidence = stack.map(|stack| stack.confidence.as_str()),
                    suppressed_events = (self.suppressed_events > 0).then_some(self.suppressed_events),
                    stack = stack.map(|stack| tracing::field::display(Chain(&stack.frames))),
                    $message
                )
            };
        }
        match self.cause {
            Cause::BlockInPlace => {}
            Cause::Preempted => event!(
                info,
                "poll delayed by CPU contention: runnable but not scheduled"
            ),
            _ => event!(warn, "a handler blocks the executor"),
        }
    }
}
