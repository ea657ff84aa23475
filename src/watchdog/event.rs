use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::Cause;
use super::advice::advice;
use super::inquiry::Diagnosis;
use crate::builder::Options;
use crate::capture::Frame;
use crate::slot::Phase;

/// Says once how threads are read. False if the subscriber panicked.
pub(super) fn log_start(options: &Options, capture: &'static str) -> bool {
    catch_unwind(AssertUnwindSafe(|| {
        tracing::info!(
            target: "tower_runtime_health",
            capture,
            threshold_ms = u64::try_from(options.threshold.as_millis()).unwrap_or(u64::MAX),
            "watching for handlers that block the executor"
        );
    }))
    .is_ok()
}

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
    pub(super) diagnosis: Option<Arc<Diagnosis>>,
}

impl Event {
    /// Logs it. False if the subscriber panicked.
    ///
    /// One line, whatever the subscriber: log collectors split at newlines.
    /// A poll that was only kept from the processor is no warning, and one
    /// inside `block_in_place` no event.
    pub(super) fn log(&self) -> bool {
        catch_unwind(AssertUnwindSafe(|| self.emit())).is_ok()
    }

    fn emit(&self) {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
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
                    late_ms = diagnosis.map(|diagnosis| millis(diagnosis.lateness)),
                    confidence = stack.map(|stack| stack.confidence.as_str()),
                    left_out = (self.left_out > 0).then_some(self.left_out),
                    stack = stack.map(|stack| tracing::field::display(Chain(&stack.frames))),
                    $message
                )
            };
        }
        match self.cause {
            Cause::BlockInPlace => {}
            Cause::Preempted => event!(info, "a poll was kept from the processor"),
            _ => event!(warn, "a handler blocks the executor"),
        }
    }
}

/// The user's own functions, from the innermost outward: the chain of awaits.
/// Without any, the innermost functions there are.
pub(super) struct Chain<'f>(pub(super) &'f [Frame]);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 8;
        let has_user = self.0.iter().any(|frame| frame.is_user);
        let shown = self.0.iter().filter(|frame| frame.is_user == has_user);
        let mut shown: Vec<String> = shown.map(ToString::to_string).collect();
        // A closure has the name of the function it stands in.
        shown.dedup();
        shown.truncate(MOST);
        f.write_str(&shown.join(" < "))
    }
}
