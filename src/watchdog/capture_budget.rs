use std::collections::HashMap;
use std::time::Duration;

use crate::capture::Hints;
use crate::clock::Clock;
use crate::model::{CallKind, Phase, Series};

/// Limits how many stacks are read: in total per second, and to one per interval for each
/// route and kind of wait.
#[derive(Debug)]
pub(super) struct CaptureBudget {
    /// The average time between two stacks, in ticks.
    spacing: u64,
    /// The most credit that accumulates, in ticks: a second's worth.
    max_credit: u64,
    credit: u64,
    credited: u64,
    interval: u64,
    last: HashMap<CaptureKey, Taken>,
}

/// The last stack of its kind.
#[derive(Clone, Copy, Debug)]
struct Taken {
    at: u64,
    hints: Hints,
}

/// What is known about a finding before its stack is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct CaptureKey {
    pub(super) series: Series,
    pub(super) phase: Phase,
    /// The kind of call the thread is blocked in; `None` while it runs.
    pub(super) kind: Option<CallKind>,
}

/// Expired entries are removed once there are this many.
const MAX_KEYS: usize = 1024;

impl CaptureBudget {
    pub(super) fn new(per_second: Option<u32>, interval: Duration, clock: &Clock) -> Self {
        let second = clock.ticks_in(Duration::from_secs(1));
        Self {
            spacing: second / u64::from(per_second.unwrap_or(1).max(1)),
            max_credit: if per_second.is_some() { second } else { 0 },
            credit: second,
            credited: clock.ticks(),
            interval: clock.ticks_in(interval),
            last: HashMap::new(),
        }
    }

    /// Returns whether a stack may be read now, and charges the attempt. `is_followed` says
    /// that the poll already has a stack. Such a poll may have more, because it may pass
    /// through several places.
    pub(super) fn allows(&mut self, key: &CaptureKey, now: u64, is_followed: bool) -> bool {
        let earned = now.saturating_sub(self.credited);
        self.credited = now;
        self.credit = self.credit.saturating_add(earned).min(self.max_credit);
        // A stack in `block_in_place` clears the handler of blame, so each such poll is
        // checked while there is credit.
        let last = self.last.get(key);
        let due = is_followed
            || last.is_none_or(|last| {
                last.hints.in_block_in_place || now.saturating_sub(last.at) >= self.interval
            });
        if !due || self.max_credit == 0 || self.credit < self.spacing {
            return false;
        }
        self.credit -= self.spacing;
        true
    }

    /// Notes that a stack of this kind was read. A failed attempt does not delay the next.
    pub(super) fn record(&mut self, key: CaptureKey, now: u64, hints: Hints) {
        if self.last.len() >= MAX_KEYS {
            let interval = self.interval;
            self.last
                .retain(|_, last| now.saturating_sub(last.at) < interval);
            if self.last.len() >= MAX_KEYS {
                self.last.clear();
            }
        }
        self.last.insert(key, Taken { at: now, hints });
    }

    /// Returns what the last stack of this kind shows: polls without a stack are assumed to
    /// show the same.
    pub(super) fn last_hints(&self, key: &CaptureKey) -> Hints {
        self.last
            .get(key)
            .map_or_else(Hints::default, |last| last.hints)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Method, RouteId};

    fn key(route: u32) -> CaptureKey {
        CaptureKey {
            series: Series::new(RouteId(route), Method::Get),
            phase: Phase::Poll,
            kind: Some(CallKind::Sleep),
        }
    }

    fn budget(per_second: impl Into<Option<u32>>, interval: u64) -> (CaptureBudget, u64) {
        let clock = Clock::new();
        let mut budget =
            CaptureBudget::new(per_second.into(), Duration::from_secs(interval), &clock);
        budget.credited = 0;
        (budget, clock.ticks_in(Duration::from_secs(1)))
    }

    fn take(budget: &mut CaptureBudget, route: u32, now: u64) -> bool {
        let allowed = budget.allows(&key(route), now, false);
        if allowed {
            budget.record(key(route), now, Hints::default());
        }
        allowed
    }

    #[test]
    fn captures_are_bounded_over_all() {
        let (mut budget, second) = budget(10, 0);
        let taken = (0..100).filter(|i| take(&mut budget, *i, 0)).count();
        assert_eq!(taken, 10);
        let later = (0..100)
            .filter(|i| take(&mut budget, *i, second / 2))
            .count();
        assert_eq!(later, 5);
    }

    #[test]
    fn captures_are_bounded_for_each_finding() {
        let (mut budget, second) = budget(1_000, 10);
        // One that fails does not count.
        assert!(budget.allows(&key(0), second, false));
        assert!(take(&mut budget, 0, second));
        assert!(!take(&mut budget, 0, 2 * second));
        assert!(take(&mut budget, 1, 2 * second));
        // A poll that has a stack may have another.
        assert!(budget.allows(&key(0), 3 * second, true));
        assert!(take(&mut budget, 0, 12 * second));
    }

    #[test]
    fn polls_without_a_stack_are_assumed_to_show_what_the_last_one_did() {
        let (mut budget, second) = budget(10, 10);
        let lookup = Hints {
            in_name_lookup: true,
            ..Hints::default()
        };
        assert_eq!(budget.last_hints(&key(0)), Hints::default());
        budget.record(key(0), second, lookup);
        assert_eq!(budget.last_hints(&key(0)), lookup);
        assert_eq!(budget.last_hints(&key(1)), Hints::default());
        budget.record(key(0), 20 * second, Hints::default());
        assert_eq!(budget.last_hints(&key(0)), Hints::default());
    }

    #[test]
    fn block_in_place_is_checked_each_time() {
        let (mut budget, second) = budget(1_000, 10);
        let in_place = Hints {
            in_block_in_place: true,
            ..Hints::default()
        };
        budget.record(key(0), second, in_place);
        assert!(budget.allows(&key(0), 2 * second, false));
        budget.record(key(0), 2 * second, Hints::default());
        assert!(!budget.allows(&key(0), 3 * second, false));
    }

    #[test]
    fn a_limit_of_0_reads_no_stacks() {
        let (mut budget, second) = budget(None, 0);
        assert!(!take(&mut budget, 0, 100 * second));
    }
}
