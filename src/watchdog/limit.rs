use std::collections::HashMap;
use std::time::Duration;

use crate::capture::{CallKind, Hints};
use crate::clock::Clock;
use crate::recorder::Series;
use crate::slot::Phase;

/// How many stacks are taken: so many a second over all, and one for the same
/// kind of wait in the same route in so long.
#[derive(Debug)]
pub(super) struct CaptureLimit {
    /// Ticks between two, on the average.
    spacing: u64,
    /// Ticks of credit that can be saved up: a second's worth.
    most: u64,
    credit: u64,
    credited: u64,
    interval: u64,
    last: HashMap<Key, Taken>,
}

/// The last stack of its kind.
#[derive(Clone, Copy, Debug)]
struct Taken {
    at: u64,
    hints: Hints,
}

/// What one finding is, as far as it is known before its stack is.
pub(super) type Key = (Series, Phase, Option<CallKind>);

/// When there are more the old ones go.
const MAX_KEYS: usize = 1024;

impl CaptureLimit {
    pub(super) fn new(per_second: u32, interval: Duration, clock: &Clock) -> Self {
        let second = clock.ticks_in(Duration::from_secs(1));
        Self {
            spacing: second / u64::from(per_second.max(1)),
            most: if per_second == 0 { 0 } else { second },
            credit: second,
            credited: clock.ticks(),
            interval: clock.ticks_in(interval),
            last: HashMap::new(),
        }
    }

    /// Whether a stack may be taken now; if so the attempt is counted. One poll of a kind
    /// is followed: it may have further stacks, since it may go through several places.
    pub(super) fn allows(&mut self, key: &Key, now: u64, is_followed: bool) -> bool {
        let earned = now.saturating_sub(self.credited);
        self.credited = now;
        self.credit = self.credit.saturating_add(earned).min(self.most);
        // That nobody waits for a poll is to be seen of each, as long as there is credit.
        let last = self.last.get(key);
        let due = is_followed
            || last.is_none_or(|last| {
                last.hints.in_block_in_place || now.saturating_sub(last.at) >= self.interval
            });
        if !due || self.most == 0 || self.credit < self.spacing {
            return false;
        }
        self.credit -= self.spacing;
        true
    }

    /// There is a stack of this kind now; an attempt that failed does not
    /// stand in the way of the next.
    pub(super) fn taken(&mut self, key: Key, now: u64, hints: Hints) {
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

    /// What the last stack of this kind shows. Those that are left out are taken for
    /// the same.
    pub(super) fn last_hints(&self, key: &Key) -> Hints {
        self.last
            .get(key)
            .map_or_else(Hints::default, |last| last.hints)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::{MethodId, RouteId};

    fn key(route: u32) -> Key {
        let series = Series::new(RouteId(route), MethodId(0));
        (series, Phase::Poll, Some(CallKind::Sleep))
    }

    fn limit(per_second: u32, interval: u64) -> (CaptureLimit, u64) {
        let clock = Clock::new();
        let mut limit = CaptureLimit::new(per_second, Duration::from_secs(interval), &clock);
        limit.credited = 0;
        (limit, clock.ticks_in(Duration::from_secs(1)))
    }

    fn take(limit: &mut CaptureLimit, route: u32, now: u64) -> bool {
        let allowed = limit.allows(&key(route), now, false);
        if allowed {
            limit.taken(key(route), now, Hints::default());
        }
        allowed
    }

    #[test]
    fn captures_are_bounded_over_all() {
        let (mut limit, second) = limit(10, 0);
        let taken = (0..100).filter(|i| take(&mut limit, *i, 0)).count();
        assert_eq!(taken, 10);
        let later = (0..100)
            .filter(|i| take(&mut limit, *i, second / 2))
            .count();
        assert_eq!(later, 5);
    }

    #[test]
    fn captures_are_bounded_for_each_finding() {
        let (mut limit, second) = limit(1_000, 10);
        // One that fails does not count.
        assert!(limit.allows(&key(0), second, false));
        assert!(take(&mut limit, 0, second));
        assert!(!take(&mut limit, 0, 2 * second));
        assert!(take(&mut limit, 1, 2 * second));
        // A poll that has a stack may have another.
        assert!(limit.allows(&key(0), 3 * second, true));
        assert!(take(&mut limit, 0, 12 * second));
    }

    #[test]
    fn what_is_left_out_is_taken_for_what_was_seen_last() {
        let (mut limit, second) = limit(10, 10);
        let lookup = Hints {
            in_name_lookup: true,
            ..Hints::default()
        };
        assert_eq!(limit.last_hints(&key(0)), Hints::default());
        limit.taken(key(0), second, lookup);
        assert_eq!(limit.last_hints(&key(0)), lookup);
        assert_eq!(limit.last_hints(&key(1)), Hints::default());
        limit.taken(key(0), 20 * second, Hints::default());
        assert_eq!(limit.last_hints(&key(0)), Hints::default());
    }

    #[test]
    fn block_in_place_is_looked_at_each_time() {
        let (mut limit, second) = limit(1_000, 10);
        let in_place = Hints {
            in_block_in_place: true,
            ..Hints::default()
        };
        limit.taken(key(0), second, in_place);
        assert!(limit.allows(&key(0), 2 * second, false));
        limit.taken(key(0), 2 * second, Hints::default());
        assert!(!limit.allows(&key(0), 3 * second, false));
    }

    #[test]
    fn none_is_an_option() {
        let (mut limit, second) = limit(0, 0);
        assert!(!take(&mut limit, 0, 100 * second));
    }
}
