//! Per-thread counters and histograms that one thread writes without a lock or
//! a read-modify-write, merged by whoever reads.
//!
//! | file | what |
//! |---|---|
//! | `bounds` | the buckets of every histogram |
//! | `histogram` | one histogram: fixed buckets and a sum of ticks |
//! | `shard` | what one thread has recorded: cells by route and method |
//! | `snapshot` | the sum over all threads, past and present |

mod bounds;
mod histogram;
mod shard;
mod snapshot;

pub(crate) use bounds::{
    BLOCKING_SECONDS, Bounds, DELAY_SECONDS, POLL_SECONDS, REQUEST_SECONDS, TickBounds,
};
pub(crate) use histogram::{Histogram, HistogramTotals};
pub(crate) use shard::{Outcome, SeriesCells, Shard};
pub(crate) use snapshot::{Recorder, SeriesTotals};

/// Index of a route in one instance's table of routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RouteId(pub(crate) u32);

/// How many values the label `method` has: nine standard ones and `_OTHER`.
pub(crate) const METHODS: usize = 10;

/// Index of a method, below [`METHODS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct MethodId(pub(crate) u8);

/// What a request is counted under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Series {
    pub(crate) route: RouteId,
    pub(crate) method: MethodId,
}

/// How many values the label `cause` has.
pub(crate) const CAUSES: usize = 12;

/// Index of a cause, below [`CAUSES`]; what they are is the watchdog's affair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CauseId(pub(crate) u8);

impl CauseId {
    /// Of a poll that nobody has looked at.
    pub(crate) const UNKNOWN: Self = Self(CAUSES as u8 - 1);
}
