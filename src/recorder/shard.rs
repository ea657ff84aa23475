use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use super::histogram::Histogram;
use super::{Bounds, CAUSES, CauseId, Series};
use crate::primitive::{AtomicU64, Ordering, add_exclusive, lock};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The response was handed over to its end.
    Completed,
    /// The service or the body returned an error, or a poll panicked.
    Error,
    /// Dropped before its end.
    Cancelled,
}

impl Outcome {
    pub(crate) const ALL: [(Self, &'static str); 3] = [
        (Self::Completed, "completed"),
        (Self::Error, "error"),
        (Self::Cancelled, "cancelled"),
    ];
}

/// Polls and ticks of blocking polls, by cause.
pub(super) type BlockingCells = [[AtomicU64; 2]; CAUSES];

/// What one thread has recorded of one route and method.
///
/// Aligned so that two threads never write to one cache line (128: adjacent
/// lines are fetched in pairs).
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct SeriesCells {
    pub(super) poll: Histogram<12>,
    pub(super) request: Histogram<12>,
    pub(super) started: AtomicU64,
    /// By [`Outcome`]. Stored with `Release` after the request's start was
    /// counted, on whichever thread; the reader loads it with `Acquire`
    /// before it reads `started`, so it never sees more ends than starts.
    pub(super) ended: [AtomicU64; 3],
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

    /// A poll within the first bound, as most are.
    #[inline]
    pub(crate) fn short_poll(&self, ticks: u64) {
        self.poll.record_first(ticks);
    }

    pub(crate) fn blocking_poll(&self, cause: CauseId, ticks: u64) {
        let cells = self.blocking.get_or_init(Box::default);
        if let Some([polls, sum]) = cells.get(usize::from(cause.0)) {
            add_exclusive(polls, 1);
            add_exclusive(sum, ticks);
        }
    }

    #[inline]
    pub(crate) fn request_started(&self) {
        add_exclusive(&self.started, 1);
    }

    #[inline]
    pub(crate) fn request_ended(&self, bounds: &Bounds, outcome: Outcome, ticks: u64) {
        self.request.record_exclusive(&bounds.request, ticks);
        let ended = &self.ended[outcome as usize];
        ended.store(ended.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    pub(crate) fn schedule_delay(&self, bounds: &Bounds, ticks: u64) {
        self.delay
            .get_or_init(|| Box::new(Histogram::new()))
            .record_exclusive(&bounds.delay, ticks);
    }

    /// Adds what another thread recorded. Only the one writer may call it.
    fn absorb(&self, other: &Self) {
        for (mine, theirs) in self.ended.iter().zip(&other.ended) {
            add_exclusive(mine, theirs.load(Ordering::Acquire));
        }
        self.poll.absorb(&other.poll);
        self.request.absorb(&other.request);
        add_exclusive(&self.started, other.started.load(Ordering::Relaxed));
        if let Some(theirs) = other.blocking.get() {
            let mine = self.blocking.get_or_init(Box::default);
            for (mine, theirs) in mine.iter().flatten().zip(theirs.iter().flatten()) {
                add_exclusive(mine, theirs.load(Ordering::Relaxed));
            }
        }
        if let Some(delay) = other.delay.get() {
            self.delay
                .get_or_init(|| Box::new(Histogram::new()))
                .absorb(delay);
        }
    }
}

/// What one thread has recorded: single writer, any number of readers.
///
/// Cells are allocated when a thread first sees a route and method, so memory
/// follows the routes in use, not the cap. The thread keeps hold of its cells:
/// the lock is taken to find them for the first time, and by readers.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    cells: Mutex<BTreeMap<Series, Arc<SeriesCells>>>,
}

impl Shard {
    /// The cells to write to.
    pub(crate) fn cells(&self, series: Series) -> Arc<SeriesCells> {
        let mut cells = lock(&self.cells);
        let of_series = cells.entry(series).or_default();
        Arc::clone(of_series)
    }

    /// All cells there are, by series.
    pub(super) fn list(&self) -> Vec<(Series, Arc<SeriesCells>)> {
        let cells = lock(&self.cells);
        let each = cells.iter();
        each.map(|(series, cells)| (*series, Arc::clone(cells)))
            .collect()
    }

    /// Adds what another shard holds. Only the one writer may call it.
    pub(super) fn absorb(&self, other: &Self) {
        for (series, theirs) in other.list() {
            self.cells(series).absorb(&theirs);
        }
    }
}
