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

/// What a request is counted under: a route and a method, in one word, since
/// each poll hands it to the slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Series(u32);

impl Series {
    /// The lower bits are the method's: [`METHODS`] have room there, and the
    /// rest is more than there can be routes.
    const METHOD_BITS: u32 = 4;

    #[inline]
    pub(crate) const fn new(route: RouteId, method: MethodId) -> Self {
        Self(route.0 << Self::METHOD_BITS | method.0 as u32)
    }

    #[inline]
    pub(crate) fn route(self) -> RouteId {
        RouteId(self.0 >> Self::METHOD_BITS)
    }

    #[inline]
    pub(crate) fn method(self) -> MethodId {
        MethodId((self.0 & ((1 << Self::METHOD_BITS) - 1)) as u8)
    }

    /// All of it, to be given to [`from_bits`](Self::from_bits).
    #[inline]
    pub(crate) fn to_bits(self) -> u32 {
        self.0
    }

    pub(crate) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

impl std::fmt::Debug for Series {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Series")
            .field(&self.route())
            .field(&self.method())
            .finish()
    }
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
