use std::hash::{BuildHasher, BuildHasherDefault};
use std::sync::Arc;
use std::task::{Wake, Waker};

use atomic_waker::AtomicWaker;
use rustc_hash::FxHasher;

use crate::clock::Clock;
use crate::sync::{AtomicU64, Ordering};

/// Measures how long a request waits from a wake to the poll that follows it.
///
/// It wraps the request's waker, for sampled requests only, and allocates when the
/// request begins. Wakes by the task that polls the request do not count: an HTTP/1
/// connection wakes its own handler that way to pass it the request's body, and
/// nothing is queued then.
#[derive(Debug)]
pub(super) struct WakeDelay {
    stamp: Arc<Stamp>,
    waker: Waker,
}

#[derive(Debug)]
struct Stamp {
    clock: Clock,
    inner: AtomicWaker,
    /// The time of the first wake since the last poll, in ticks, or 0 if there was
    /// none. Publishes no other data.
    woken: AtomicU64,
    /// The hash of the id of the task that polled last, or 0 if there was none.
    polled_by: AtomicU64,
}

impl WakeDelay {
    pub(super) fn new(clock: Clock) -> Self {
        let stamp = Arc::new(Stamp {
            clock,
            inner: AtomicWaker::new(),
            woken: AtomicU64::new(0),
            polled_by: AtomicU64::new(0),
        });
        Self {
            waker: Waker::from(Arc::clone(&stamp)),
            stamp,
        }
    }

    /// Returns the waker to poll with.
    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Records that a poll with `waker` began at `now`. Returns the delay since the
    /// first wake after the previous poll, if there was one.
    pub(super) fn poll_begins(&self, waker: &Waker, now: u64) -> Option<u64> {
        self.stamp.inner.register(waker);
        self.stamp
            .polled_by
            .store(current_task(), Ordering::Relaxed);
        match self.stamp.woken.swap(0, Ordering::Relaxed) {
            0 => None,
            woken => Some(now.saturating_sub(woken)),
        }
    }
}

impl Wake for Stamp {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let task = current_task();
        if task == 0 || task != self.polled_by.load(Ordering::Relaxed) {
            // Only the first wake counts. If two wakes race, either time will do.
            if self.woken.load(Ordering::Relaxed) == 0 {
                self.woken.store(self.clock.ticks(), Ordering::Relaxed);
            }
        }
        self.inner.wake();
    }
}

fn current_task() -> u64 {
    tokio::task::try_id().map_or(0, |id| {
        BuildHasherDefault::<FxHasher>::default().hash_one(id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    struct Counting(AtomicU32);

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_wake_is_passed_on_and_timed_until_the_next_poll() {
        let clock = Clock::new();
        let (delay, counting) = (WakeDelay::new(clock.clone()), Arc::new(Counting(0.into())));
        let waker = Waker::from(Arc::clone(&counting));
        assert_eq!(delay.poll_begins(&waker, clock.ticks()), None);
        let before = clock.ticks();
        delay.waker().wake_by_ref();
        delay.waker().wake_by_ref();
        assert_eq!(
            counting.0.load(Ordering::Relaxed),
            1,
            "one wake is enough until the next poll"
        );
        let now = clock.ticks();
        let waited = delay.poll_begins(&waker, now).unwrap();
        assert!(waited <= now - before);
        assert_eq!(delay.poll_begins(&waker, clock.ticks()), None);
    }

    #[tokio::test]
    async fn a_tasks_own_wake_is_not_timed_but_passed_on() {
        tokio::spawn(async {
            let clock = Clock::new();
            let counting = Arc::new(Counting(0.into()));
            let (delay, waker) = (
                WakeDelay::new(clock.clone()),
                Waker::from(Arc::clone(&counting)),
            );
            delay.poll_begins(&waker, clock.ticks());
            delay.waker().wake_by_ref();
            assert_eq!(counting.0.load(Ordering::Relaxed), 1);
            assert_eq!(delay.poll_begins(&waker, clock.ticks()), None);
        })
        .await
        .unwrap();
    }
}
