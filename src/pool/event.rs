use std::panic::{AssertUnwindSafe, catch_unwind};

use super::finding::{Holders, PoolFinding, PoolFindingKind};

/// What is to be said of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Began,
    /// Nothing has moved for long.
    Stuck,
    Ended,
}

/// Logs it. False if the subscriber panicked.
pub(crate) fn log(finding: &PoolFinding, moment: Moment) -> bool {
    catch_unwind(AssertUnwindSafe(|| emit(finding, moment))).is_ok()
}

fn emit(finding: &PoolFinding, moment: Moment) {
    let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
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
    match (finding.kind, moment) {
        (PoolFindingKind::Saturated, Moment::Began) => event!(
            warn,
            "the blocking pool is saturated: what is put there waits for a thread",
            elapsed_ms = millis(finding.lasted),
            limit = finding.limit,
            running = finding.running,
            queued = finding.queued,
            longest_wait_ms = millis(finding.longest_wait),
            held_by = holders(),
            example = example(),
            fix = finding.advice()
        ),
        (PoolFindingKind::Saturated, Moment::Stuck) => {
            let stuck_ms = finding.no_progress.map(millis);
            let message = if finding.is_deadlock {
                "the blocking pool is deadlocked: its tasks wait for tasks that wait for a thread"
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
        (PoolFindingKind::Saturated, Moment::Ended) => event!(
            info,
            "the blocking pool has room again",
            lasted_ms = millis(finding.lasted),
            most_queued = finding.most_queued,
            longest_wait_ms = millis(finding.longest_wait)
        ),
        (PoolFindingKind::LongTask, Moment::Ended) => {}
        (PoolFindingKind::LongTask, _) => event!(
            warn,
            "a task has been on the blocking pool for long",
            elapsed_ms = millis(finding.lasted),
            held_by = holders(),
            example = example(),
            fix = finding.advice()
        ),
    }
}
