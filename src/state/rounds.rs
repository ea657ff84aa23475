use std::time::Duration;

use crate::clock::Clock;
use crate::sync::{AtomicBool, AtomicU64, Ordering, Parker};

/// Counts the rounds of a background thread, so that another thread can wait for one that
/// begins from now on.
#[derive(Debug)]
pub(crate) struct Rounds {
    /// Odd while a round is in progress. The background thread alone writes it, with
    /// `Release`; partner: the `Acquire` load in `wait_for_next`, after which everything
    /// that the round found is visible.
    count: AtomicU64,
    /// Whether another thread waits for the next round. Publishes nothing but itself.
    requested: AtomicBool,
}

impl Default for Rounds {
    fn default() -> Self {
        Self {
            count: AtomicU64::new(0),
            requested: AtomicBool::new(false),
        }
    }
}

impl Rounds {
    /// Begins a round, which serves every request made before. Called by the background thread
    /// only.
    pub(crate) fn begin(&self) {
        self.requested.store(false, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Release);
    }

    /// Ends a round. Called by the background thread only.
    pub(crate) fn end(&self) {
        self.count.fetch_add(1, Ordering::Release);
    }

    /// Returns whether another thread waits for a round that has not begun. Then the background
    /// thread must not park.
    pub(crate) fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Acquire)
    }

    /// Wakes the background thread and waits until it has completed a round that began after
    /// this call, for at most `timeout`.
    pub(crate) fn wait_for_next(&self, parker: &Parker, clock: &Clock, timeout: Duration) {
        const PAUSE: Duration = Duration::from_micros(200);
        let count = || self.count.load(Ordering::Acquire);
        // A round in progress began before this call, so the one after it has to complete.
        let before = count();
        let complete = before + 2 + (before & 1);
        let end = clock.ticks() + clock.ticks_in(timeout);
        self.requested.store(true, Ordering::Release);
        parker.unpark();
        while count() < complete && clock.ticks() < end {
            std::thread::sleep(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_round_in_progress_does_not_satisfy_a_later_request() {
        let (rounds, parker, clock) = (Arc::new(Rounds::default()), Parker::new(), Clock::new());
        rounds.begin();
        let background = Arc::clone(&rounds);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                while !background.is_requested() {
                    std::thread::yield_now();
                }
                background.end();
                background.begin();
                background.end();
            });
            rounds.wait_for_next(&parker, &clock, Duration::from_secs(10));
        });
        assert_eq!(rounds.count.load(Ordering::Relaxed), 4);
        assert!(!rounds.is_requested());
    }
}
