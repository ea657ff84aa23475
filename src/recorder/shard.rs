use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use super::Bounds;
use super::histogram::Histogram;
use crate::model::{Cause, ClosedSet, Outcome, Series};
use crate::sync::{AtomicU64, Ordering, add_exclusive, lock};

/// The blocking polls of one cause.
#[derive(Debug, Default)]
pub(super) struct BlockingCell {
    pub(super) polls: AtomicU64,
    pub(super) ticks: AtomicU64,
}

/// The blocking polls, indexed by [`Cause`].
pub(super) type BlockingCells = [BlockingCell; Cause::COUNT];

/// The counters of one thread for one route and method.
///
/// Aligned so that two threads never write to one cache line (128: adjacent
/// lines are fetched in pairs).
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct SeriesCells {
    pub(super) poll: Histogram<12>,
    pub(super) request: Histogram<12>,
    pub(super) started: AtomicU64,
    /// Indexed by [`Outcome`]. Stored with `Release` after the request's start was
    /// counted, on any thread; the reader loads it with `Acquire`
    /// before it reads `started`, so it never sees more ends than starts.
    pub(super) ended: [AtomicU64; Outcome::COUNT],
    /// Allocated by the first blocking poll.
    pub(super) blocking: OnceLock<Box<BlockingCells>>,
    pub(super) delay: OnceLock<Box<Histogram<9>>>,
}

impl Default for SeriesCells {
    fn default() -> Self {
        Self {
            poll: Histogram::new(),
            request: Histogram::new(),
            started: AtomicU64::new(0),
            ended: std::array::from_fn(|_| AtomicU64::new(0)),
            blocking: OnceLock::new(),
            delay: OnceLock::new(),
        }
    }
}

impl SeriesCells {
    #[inline]
    pub(crate) fn poll(&self, bounds: &Bounds, ticks: u64) {
        self.poll.record_exclusive(&bounds.poll, ticks);
    }

    /// Records a poll within the first bound, which most polls are.
    #[inline]
    pub(crate) fn short_poll(&self, ticks: u64) {
        self.poll.record_first(ticks);
    }

    pub(crate) fn blocking_poll(&self, cause: Cause, ticks: u64) {
        let cells = self.blocking.get_or_init(Box::default);
        let cell = &cells[cause.index()];
        add_exclusive(&cell.polls, 1);
        add_exclusive(&cell.ticks, ticks);
    }

    #[inline]
    pub(crate) fn request_started(&self) {
        add_exclusive(&self.started, 1);
    }

    #[inline]
    pub(crate) fn request_ended(&self, bounds: &Bounds, outcome: Outcome, ticks: u64) {
        self.request.record_exclusive(&bounds.request, ticks);
        let ended = &self.ended[outcome.index()];
        ended.store(ended.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    pub(crate) fn schedule_delay(&self, bounds: &Bounds, ticks: u64) {
        self.delay
            .get_or_init(|| Box::new(Histogram::new()))
            .record_exclusive(&bounds.delay, ticks);
    }

    /// Adds the counts of another thread. Only the writing thread may call it.
    fn absorb(&self, other: &Self) {
        for (mine, theirs) in self.ended.iter().zip(&other.ended) {
            add_exclusive(mine, theirs.load(Ordering::Acquire));
        }
        self.poll.absorb(&other.poll);
        self.request.absorb(&other.request);
        add_exclusive(&self.started, other.started.load(Ordering::Relaxed));
        if let Some(theirs) = other.blocking.get() {
            let mine = self.blocking.get_or_init(Box::default);
            for (mine, theirs) in mine.iter().zip(theirs.iter()) {
                add_exclusive(&mine.polls, theirs.polls.load(Ordering::Relaxed));
                add_exclusive(&mine.ticks, theirs.ticks.load(Ordering::Relaxed));
            }
        }
        if let Some(delay) = other.delay.get() {
            self.delay
                .get_or_init(|| Box::new(Histogram::new()))
                .absorb(delay);
        }
    }
}

/// The counters of one thread, with a single writer and any number of readers.
///
/// Cells are allocated when a thread first sees a route and method, so memory grows with
/// the routes in use, not with the limit. The thread caches its cells. It takes the lock
/// only to find them for the first time; readers take it, too.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    cells: Mutex<BTreeMap<Series, Arc<SeriesCells>>>,
}

impl Shard {
    /// Returns the cells of a series. Allocates them if needed.
    pub(crate) fn cells(&self, series: Series) -> Arc<SeriesCells> {
        let mut cells = lock(&self.cells);
        let of_series = cells.entry(series).or_default();
        Arc::clone(of_series)
    }

    /// Returns all cells, by series.
    pub(super) fn list(&self) -> Vec<(Series, Arc<SeriesCells>)> {
        let cells = lock(&self.cells);
        let each = cells.iter();
        each.map(|(series, cells)| (*series, Arc::clone(cells)))
            .collect()
    }

    /// Adds the counts of another shard. Only the writing thread may call it.
    pub(super) fn absorb(&self, other: &Self) {
        for (series, theirs) in other.list() {
            self.cells(series).absorb(&theirs);
        }
    }
}
