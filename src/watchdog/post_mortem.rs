use crate::capture::Clocks;
use crate::clock::Clock;
use crate::findings::{TimeSplit, was_delayed_by_contention};
use crate::model::Cause;
use crate::slot::EndedPoll;

/// A thread's clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClockSample {
    /// In ticks.
    pub(super) at: u64,
    pub(super) clocks: Clocks,
}

impl ClockSample {
    /// Returns how the thread spent the time between two samples.
    pub(super) fn until(&self, later: &Self, clock: &Clock) -> TimeSplit {
        let (from, to) = (&self.clocks, &later.clocks);
        TimeSplit {
            elapsed: clock.nanos(later.at.saturating_sub(self.at)),
            on_cpu: to.on_cpu.saturating_sub(from.on_cpu),
            waiting: to.waiting.saturating_sub(from.waiting),
        }
    }
}

/// Decides why a poll that has ended took long. Compares samples of its thread's clocks from
/// before its end with one from after it. `threshold` is in ticks.
pub(super) fn cause_of_ended(
    before: [Option<ClockSample>; 2],
    after: &ClockSample,
    poll: &EndedPoll,
    threshold: u64,
    clock: &Clock,
) -> Cause {
    let end = poll.start.saturating_add(poll.ticks);
    let [length, threshold] = [poll.ticks, threshold].map(|ticks| clock.nanos(ticks));
    before
        .into_iter()
        .flatten()
        .filter(|sample| sample.at < end)
        .map(|sample| {
            let covered = clock.nanos(end - sample.at.max(poll.start));
            cause(covered, length, threshold, sample.until(after, clock))
        })
        .find(|cause| *cause != Cause::Unknown)
        .unwrap_or(Cause::Unknown)
}

/// Decides why a poll took long that was never examined. That happens where CPU is
/// contended: then the watchdog is late as well. All times are in nanoseconds.
///
/// `window` is how the thread spent the time between two samples around the poll's end. The
/// part of it that lies within the poll is `covered`.
///
/// - Within the poll the thread used at least the CPU time of the window, less the time outside
///   the poll. If that is half of the poll, the thread has computed.
/// - If the thread waited for a CPU for half of the poll's length, that is the cause. It also is
///   if the poll would have ended before the threshold without that wait. Part of the wait may
///   precede the poll. The conclusion is sound because a blocked thread accrues no run-queue
///   wait.
fn cause(covered: u64, poll: u64, threshold: u64, window: TimeSplit) -> Cause {
    let outside = window.elapsed.saturating_sub(covered);
    let is_most = |time: u64| time.saturating_mul(2) >= poll;
    if is_most(window.waiting) || was_delayed_by_contention(poll, window.waiting, threshold) {
        Cause::Preempted
    } else if is_most(window.on_cpu.saturating_sub(outside)) {
        Cause::Cpu
    } else {
        Cause::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(elapsed: u64, on_cpu: u64, waiting: u64) -> TimeSplit {
        TimeSplit {
            elapsed,
            on_cpu,
            waiting,
        }
    }

    #[test]
    fn the_clocks_around_a_poll_prove_what_it_must_have_done() {
        let cause = |poll, elapsed, on_cpu, waiting| {
            cause(poll, poll, 10, window(elapsed, on_cpu, waiting))
        };
        assert_eq!(cause(12, 15, 4, 9), Cause::Preempted);
        assert_eq!(
            cause(12, 15, 9, 3),
            Cause::Preempted,
            "short without the wait"
        );
        assert_eq!(cause(30, 33, 22, 3), Cause::Cpu);
        assert_eq!(cause(12, 15, 12, 0), Cause::Cpu);
        assert_eq!(cause(12, 15, 2, 1), Cause::Unknown, "blocked in something");
        assert_eq!(
            cause(12, 30, 15, 0),
            Cause::Unknown,
            "CPU time perhaps used before the poll"
        );
        assert_eq!(cause(12, 12, 0, 0), Cause::Unknown);
    }

    #[test]
    fn a_small_part_of_a_poll_proves_nothing() {
        assert_eq!(cause(2, 12, 1, window(2, 2, 0)), Cause::Unknown);
        assert_eq!(cause(2, 4, 1, window(2, 2, 0)), Cause::Cpu);
    }
}
