use std::sync::OnceLock;

use super::histogram::Histogram;
use super::{Bounds, CAUSES, CauseId, METHODS, Series};
use crate::primitive::{AtomicU64, Ordering, add_exclusive};

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

impl SeriesCells {
    pub(super) fn new() -> Self {
        Self {
            poll: Histogram::new(),
            request: Histogram::new(),
            started: AtomicU64::new(0),
            ended: std::array::from_fn(|_| AtomicU64::new(0)),
            blocking: OnceLock::new(),
            delay: OnceLock::new(),
        }
    }

    #[inline]
    pub(crate) fn poll(&self, bounds: &Bounds, ticks: u64) {
        self.poll.record_exclusive(&bounds.poll, ticks);
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

#[derive(Debug)]
struct RouteCells {
    methods: [OnceLock<Box<SeriesCells>>; METHODS],
}

/// What one thread has recorded: single writer, any number of readers.
///
/// Cells are allocated when a thread first sees a route and method, so memory
/// follows the routes in use, not the cap.
#[derive(Debug)]
pub(crate) struct Shard {
    routes: Box<[OnceLock<Box<RouteCells>>]>,
}

impl Shard {
    pub(crate) fn new(routes: usize) -> Self {
        Self {
            routes: (0..routes).map(|_| OnceLock::new()).collect(),
        }
    }

    /// The cells to write to. `None` only for an id of another instance, whose
    /// table may be longer than this one.
    #[inline]
    pub(crate) fn cells(&self, series: Series) -> Option<&SeriesCells> {
        let route = self.routes.get(series.route.0 as usize)?;
        let method = match route.get() {
            Some(route) => route,
            None => route.get_or_init(|| {
                Box::new(RouteCells {
                    methods: std::array::from_fn(|_| OnceLock::new()),
                })
            }),
        }
        .methods
        .get(series.method.0 as usize)?;
        Some(match method.get() {
            Some(cells) => cells,
            None => method.get_or_init(|| Box::new(SeriesCells::new())),
        })
    }

    /// All cells there are, by series.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Series, &SeriesCells)> {
        self.routes.iter().zip(0..).flat_map(|(route, route_id)| {
            route.get().into_iter().flat_map(move |route| {
                route
                    .methods
                    .iter()
                    .zip(0..)
                    .filter_map(move |(cells, method_id)| {
                        let series = Series {
                            route: super::RouteId(route_id),
                            method: super::MethodId(method_id),
                        };
                        Some((series, &**cells.get()?))
                    })
            })
        })
    }

    /// Adds what another shard holds. Only the one writer may call it.
    pub(super) fn absorb(&self, other: &Self) {
        for (series, theirs) in other.iter() {
            if let Some(mine) = self.cells(series) {
                mine.absorb(theirs);
            }
        }
    }
}
