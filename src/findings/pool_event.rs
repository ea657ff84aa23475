use std::panic::{AssertUnwindSafe, catch_unwind};

use super::format::millis;
use super::pool_finding::{Holders, PoolFinding, PoolFindingKind};

/// The change of a pool finding that an event reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transition {
    Began,
    /// No progress for [`pool_stuck_after`](crate::Builder::pool_stuck_after).
    Stuck,
    Ended,
}

/// Logs the event. Returns false if the subscriber panicked.
pub(crate) fn log_pool_event(finding: &PoolFinding, transition: Transition) -> bool {
    catch_unwind(AssertUnwindSafe(|| emit(finding, transition))).is_ok()
}

fn emit(finding: &PoolFinding, transition: Transition) {
    let example = finding.examples.first();
    macro_rules! event {
        ($level:ident, $message:literal $(, $name:ident = $value:expr)*) => {
            tracing::$level!(
                target: "tower_runtime_health",
                runtime = &*finding.runtime,
                $($name = $value,)*
                $message
            )
        };
    }
    let holders = || tracing::field::display(Holders(finding));
    let example = || example.map(tracing::field::display);
    match (finding.kind, transition) {
        (PoolFindingKind::Saturated, Transition::Began) => event!(
            warn,
            "the blocking pool is saturated: new tasks are queueing",
            elapsed_ms = millis(finding.lasted),
            limit = finding.limit,
            running = finding.running,
            queued = finding.queued,
            longest_wait_ms = millis(finding.longest_wait),
            held_by = holders(),
            example = example(),
            fix = finding.advice()
        ),
        (PoolFindingKind::Saturated, Transition::Stuck) => {
            let stuck_ms = finding.no_progress.map(millis);
            let message = if finding.is_deadlock {
                "the blocking pool is deadlocked: its tasks wait for tasks that are queued behind them"
            } else {
                "the blocking pool makes no progress"
            };
            event!(
                warn,
                "{message}",
                no_progress_ms = stuck_ms,
                limit = finding.limit,
                queued = finding.queued,
                held_by = holders(),
                example = example(),
                fix = finding.advice()
            );
        }
        (PoolFindingKind::Saturated, Transition::Ended) => event!(
            info,
            "the blocking pool is no longer saturated",
            lasted_ms = millis(finding.lasted),
            most_queued = finding.most_queued,
            longest_wait_ms = millis(finding.longest_wait)
        ),
        (PoolFindingKind::LongTask, Transition::Ended) => {}
        (PoolFindingKind::LongTask, _) => event!(
            warn,
            "a task has occupied a thread of the blocking pool for a long time",
            elapsed_ms = millis(finding.lasted),
            held_by = holders(),
            example = example(),
            fix = finding.advice()
        ),
    }
}
