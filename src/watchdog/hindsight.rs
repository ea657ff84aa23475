use super::Cause;
use super::classify::{Window, was_held_up};
use super::inquiry::Tools;
use crate::capture::{Capturer, Clocks, Thread};
use crate::clock::Clock;

/// A thread's clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// In ticks.
    pub(super) at: u64,
    pub(super) clocks: Clocks,
}

impl Reading {
    /// Takes about 3 µs.
    pub(super) fn take(capturer: &Capturer, thread: &Thread, clock: &Clock) -> Option<Self> {
        let clocks = capturer.clocks(thread)?;
        let at = clock.ticks();
        Some(Self { at, clocks })
    }

    pub(super) fn of(thread: &Thread, tools: &Tools<'_>) -> Option<Self> {
        Self::take(tools.capturer, thread, tools.clock)
    }

    /// What the thread has done between two readings.
    pub(super) fn until(&self, later: &Self, clock: &Clock) -> Window {
        Window {
            elapsed: clock.nanos(later.at.saturating_sub(self.at)),
            cpu: later.clocks.cpu.saturating_sub(self.clocks.cpu),
            wait: later.clocks.wait.saturating_sub(self.clocks.wait),
        }
    }
}

/// Why a poll was long that nobody has looked at: on a machine short of
/// processors the watchdog is late as well. Between two readings around it, the
/// latter after its end, the thread has done what `window` says; `seen` is how
/// much of the poll was within, in nanoseconds. Less than half says nothing.
///
/// What the thread did within the poll is at least what it did in the window
/// less the time outside: so it is proven to have computed. To have waited for
/// a processor for half as long as the poll took, or so long that it would have
/// been short without, is taken for the reason though some of it may have been
/// before: who is blocked has not waited.
pub(super) fn cause(seen: u64, poll: u64, threshold: u64, window: Window) -> Cause {
    let outside = window.elapsed.saturating_sub(seen);
    let is_most = |time: u64| time.saturating_mul(2) >= poll;
    if is_most(window.wait) || was_held_up(poll, window.wait, threshold) {
        Cause::Preempted
    } else if is_most(window.cpu.saturating_sub(outside)) {
        Cause::Cpu
    } else {
        Cause::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_around_a_poll_tell_what_it_must_have_been() {
        let cause = |poll, elapsed, cpu, wait| cause(poll, poll, 10, Window { elapsed, cpu, wait });
        assert_eq!(cause(12, 15, 4, 9), Cause::Preempted);
        assert_eq!(cause(12, 15, 9, 3), Cause::Preempted, "short without it");
        assert_eq!(cause(30, 33, 22, 3), Cause::Cpu);
        assert_eq!(cause(12, 15, 12, 0), Cause::Cpu);
        assert_eq!(cause(12, 15, 2, 1), Cause::Unknown, "blocked in something");
        assert_eq!(cause(12, 30, 15, 0), Cause::Unknown, "perhaps before it");
        assert_eq!(cause(12, 12, 0, 0), Cause::Unknown);
    }

    #[test]
    fn a_small_part_of_a_poll_tells_nothing() {
        let window = Window {
            elapsed: 2,
            cpu: 2,
            wait: 0,
        };
        assert_eq!(cause(2, 12, 1, window), Cause::Unknown);
        assert_eq!(cause(2, 4, 1, window), Cause::Cpu);
    }
}
