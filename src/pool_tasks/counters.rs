use std::sync::OnceLock;

use crate::model::RouteId;
#[cfg(feature = "prometheus")]
use crate::recorder::HistogramTotals;
use crate::recorder::{Histogram, TickBounds};
use crate::sync::{AtomicU64, Ordering};

/// Counters of wrapped pool tasks, by route.
///
/// All threads share them and write with read-modify-writes. Handing over a pool task
/// costs microseconds in any case, and pool threads are short-lived.
#[derive(Debug)]
pub(crate) struct TaskCounters {
    bounds: TickBounds<12>,
    routes: Box<[OnceLock<Box<RouteTasks>>]>,
}

#[derive(Debug)]
struct RouteTasks {
    /// A task is counted once in each state, in the order of these fields. A reader loads
    /// them in the opposite order (`Acquire`, partner of the `Release` of the writer), so
    /// differences are never negative.
    spawned: AtomicU64,
    started: AtomicU64,
    /// Tasks dropped before they started, by an abort or the end of the runtime.
    cancelled: AtomicU64,
    ended: AtomicU64,
    /// Calls of `block_in_place` in progress.
    in_place: AtomicU64,
    wait: Histogram<12>,
    run: Histogram<12>,
}

/// The totals of one route.
#[cfg(feature = "prometheus")]
#[derive(Clone, Debug)]
pub(crate) struct TaskTotals {
    pub(crate) queued: u64,
    pub(crate) running: u64,
    pub(crate) in_place: u64,
    pub(crate) wait: HistogramTotals<12>,
    pub(crate) run: HistogramTotals<12>,
}

/// The totals of all routes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TaskSums {
    pub(crate) queued: u64,
    pub(crate) running: u64,
    pub(crate) in_place: u64,
    /// Starts and ends so far. It changes as long as the pool makes progress.
    pub(crate) steps: u64,
}

impl TaskCounters {
    pub(crate) fn new(routes: usize, bounds: TickBounds<12>) -> Self {
        Self {
            bounds,
            routes: (0..routes).map(|_| OnceLock::new()).collect(),
        }
    }

    fn route(&self, route: RouteId) -> Option<&RouteTasks> {
        let cells = self.routes.get(route.0 as usize)?;
        Some(cells.get_or_init(|| Box::new(RouteTasks::new())))
    }

    pub(crate) fn spawned(&self, route: RouteId) {
        if let Some(tasks) = self.route(route) {
            tasks.spawned.fetch_add(1, Ordering::Release);
        }
    }

    pub(crate) fn started(&self, route: RouteId, waited: u64) {
        if let Some(tasks) = self.route(route) {
            tasks.started.fetch_add(1, Ordering::Release);
            tasks.wait.record_shared(&self.bounds, waited);
        }
    }

    pub(crate) fn cancelled(&self, route: RouteId) {
        if let Some(tasks) = self.route(route) {
            tasks.cancelled.fetch_add(1, Ordering::Release);
        }
    }

    pub(crate) fn ended(&self, route: RouteId, ran: u64) {
        if let Some(tasks) = self.route(route) {
            tasks.run.record_shared(&self.bounds, ran);
            tasks.ended.fetch_add(1, Ordering::Release);
        }
    }

    #[cfg(feature = "rt-multi-thread")]
    pub(crate) fn in_place_began(&self, route: RouteId) {
        if let Some(tasks) = self.route(route) {
            tasks.in_place.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[cfg(feature = "rt-multi-thread")]
    pub(crate) fn in_place_ended(&self, route: RouteId) {
        if let Some(tasks) = self.route(route) {
            tasks.in_place.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Returns the totals over all routes.
    pub(crate) fn sums(&self) -> TaskSums {
        let mut sums = TaskSums::default();
        for tasks in self.routes.iter().filter_map(OnceLock::get) {
            let ended = tasks.ended.load(Ordering::Acquire);
            let cancelled = tasks.cancelled.load(Ordering::Acquire);
            let started = tasks.started.load(Ordering::Acquire);
            let spawned = tasks.spawned.load(Ordering::Acquire);
            sums.queued += spawned.saturating_sub(started + cancelled);
            sums.running += started.saturating_sub(ended);
            sums.steps += started + cancelled + ended;
            sums.in_place += tasks.in_place.load(Ordering::Relaxed);
        }
        sums
    }

    /// Returns the totals of every route that has put tasks on the pool.
    #[cfg(feature = "prometheus")]
    pub(crate) fn totals(&self) -> impl Iterator<Item = (RouteId, TaskTotals)> {
        self.routes.iter().zip(0..).filter_map(|(tasks, id)| {
            let tasks = tasks.get()?;
            let ended = tasks.ended.load(Ordering::Acquire);
            let cancelled = tasks.cancelled.load(Ordering::Acquire);
            let started = tasks.started.load(Ordering::Acquire);
            let spawned = tasks.spawned.load(Ordering::Acquire);
            let totals = TaskTotals {
                queued: spawned.saturating_sub(started + cancelled),
                running: started.saturating_sub(ended),
                in_place: tasks.in_place.load(Ordering::Relaxed),
                wait: tasks.wait.totals(),
                run: tasks.run.totals(),
            };
            Some((RouteId(id), totals))
        })
    }
}

impl RouteTasks {
    fn new() -> Self {
        Self {
            spawned: AtomicU64::new(0),
            started: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            in_place: AtomicU64::new(0),
            wait: Histogram::new(),
            run: Histogram::new(),
        }
    }
}
