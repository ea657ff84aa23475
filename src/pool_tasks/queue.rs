use std::num::NonZeroU64;
use std::panic::Location;

use crate::model::{RouteId, RuntimeId};
use crate::sync::{AtomicU64, Ordering, fence};
use crate::sys::StaticRef;

/// The wrapped tasks that wait for a thread, with the details that the pool monitor
/// reports.
///
/// A ring of places that are claimed without a lock. If the next place is still held by
/// a waiting task, the new task gets no place. Its route's counters count it all the same.
#[derive(Debug)]
pub(crate) struct TaskQueue {
    next: AtomicU64,
    places: Box<[Place]>,
}

#[derive(Debug)]
struct Place {
    /// When the task was queued, in ticks; or `FREE`; or `CLAIMED` while the fields are
    /// written. Each place is a sequence lock: `Release` stores
    /// by its task, `Acquire` loads by `list`.
    since: AtomicU64,
    /// The route in the lower half, then the runtime's id (0 if unknown). The highest bit
    /// is set if a pool task queued the task.
    what: AtomicU64,
    site: StaticRef<Location<'static>>,
}

const FREE: u64 = 0;
const CLAIMED: u64 = 1;
const FROM_POOL: u64 = 1 << 63;

/// A wrapped task that waits for a thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueuedTask {
    /// When the task was queued, in ticks.
    pub(crate) since: u64,
    pub(crate) route: RouteId,
    pub(crate) runtime: Option<RuntimeId>,
    /// Whether a pool task queued it.
    pub(crate) from_pool: bool,
    pub(crate) site: &'static Location<'static>,
}

impl TaskQueue {
    /// The capacity. Further tasks are counted, but not listed.
    #[cfg(not(runtime_health_loom))]
    const PLACES: usize = 1024;
    /// One place, so that the model's tasks compete for it.
    #[cfg(runtime_health_loom)]
    const PLACES: usize = 1;

    pub(crate) fn new() -> Self {
        let place = || Place {
            since: AtomicU64::new(FREE),
            what: AtomicU64::new(0),
            site: StaticRef::none(),
        };
        Self {
            next: AtomicU64::new(0),
            places: (0..Self::PLACES).map(|_| place()).collect(),
        }
    }

    /// Claims a place for a task. Returns the place, to be passed to `leave`.
    pub(crate) fn enter(&self, waits: &QueuedTask) -> Option<usize> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let at = usize::try_from(next % self.places.len() as u64).ok()?;
        let place = self.places.get(at)?;
        place
            .since
            .compare_exchange(FREE, CLAIMED, Ordering::Acquire, Ordering::Relaxed)
            .ok()?;
        // Orders the claim before the stores below. Partner: the fence in `list`.
        fence(Ordering::Release);
        let runtime = waits.runtime.map_or(0, |runtime| runtime.0.get());
        let from_pool = if waits.from_pool { FROM_POOL } else { 0 };
        let what = u64::from(waits.route.0) | (runtime << 32) | from_pool;
        place.what.store(what, Ordering::Relaxed);
        place.site.store(waits.site);
        let since = waits.since.max(CLAIMED + 1);
        place.since.store(since, Ordering::Release);
        Some(at)
    }

    pub(crate) fn leave(&self, at: usize) {
        if let Some(place) = self.places.get(at) {
            place.since.store(FREE, Ordering::Release);
        }
    }

    /// Returns the waiting tasks that have a place. A task that starts during the call may
    /// be missing.
    pub(crate) fn list(&self) -> impl Iterator<Item = QueuedTask> {
        self.places.iter().filter_map(|place| {
            let since = place.since.load(Ordering::Acquire);
            if since <= CLAIMED {
                return None;
            }
            let what = place.what.load(Ordering::Relaxed);
            let site = place.site.load()?;
            fence(Ordering::Acquire);
            (place.since.load(Ordering::Relaxed) == since).then_some(QueuedTask {
                since,
                route: RouteId(what as u32),
                runtime: NonZeroU64::new((what & !FROM_POOL) >> 32).map(RuntimeId),
                from_pool: what & FROM_POOL != 0,
                site,
            })
        })
    }
}

#[cfg(all(test, not(runtime_health_loom)))]
mod tests {
    use super::*;

    fn waits(since: u64) -> QueuedTask {
        QueuedTask {
            since,
            route: RouteId(7),
            runtime: NonZeroU64::new(3).map(RuntimeId),
            from_pool: since.is_multiple_of(2),
            site: Location::caller(),
        }
    }

    #[test]
    fn who_waits_is_listed_until_it_leaves() {
        let waiting = TaskQueue::new();
        let places: Vec<_> = (2..6).map(|since| waiting.enter(&waits(since))).collect();
        waiting.leave(places[1].unwrap());
        let listed: Vec<_> = waiting.list().map(|w| (w.since, w.from_pool)).collect();
        assert_eq!(listed, [(2, true), (4, true), (5, false)]);
        let one = waiting.list().next().unwrap();
        assert_eq!(
            (one.route, one.runtime),
            (RouteId(7), NonZeroU64::new(3).map(RuntimeId))
        );
        assert_eq!(one.site.file(), file!());
    }

    #[test]
    fn a_full_ring_keeps_the_older_ones() {
        let waiting = TaskQueue::new();
        for since in 0..TaskQueue::PLACES as u64 {
            assert!(waiting.enter(&waits(10 + since)).is_some());
        }
        assert_eq!(waiting.enter(&waits(1_000_000)), None);
        assert_eq!(waiting.list().count(), TaskQueue::PLACES);
        assert_eq!(waiting.list().map(|w| w.since).min(), Some(10));
    }

    #[test]
    fn a_reader_never_sees_fields_of_two_tasks() {
        let waiting = TaskQueue::new();
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for writer in 0..2_u64 {
                let (waiting, stop) = (&waiting, &stop);
                scope.spawn(move || {
                    let mut since = 10 + writer;
                    while !stop.load(Ordering::Relaxed) {
                        let mut waits = waits(since);
                        waits.route = RouteId(since as u32);
                        if let Some(place) = waiting.enter(&waits) {
                            waiting.leave(place);
                        }
                        since += 2;
                    }
                });
            }
            let mut seen = 0;
            for _ in 0..20_000 {
                for waits in waiting.list() {
                    assert_eq!(waits.route, RouteId(waits.since as u32));
                    assert_eq!(waits.from_pool, waits.since.is_multiple_of(2));
                    seen += 1;
                }
                if seen > 1_000 {
                    break;
                }
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}
