//! Per-thread counters and histograms that one thread writes without a lock or
//! a read-modify-write, merged by whoever reads.
//!
//! | file | what |
//! |---|---|
//! | `bounds` | the buckets of every histogram |
//! | `histogram` | one histogram: fixed buckets and a sum of ticks |
//! | `shard` | what one thread has recorded: cells by route and method |
//! | `recorder` | the shards of all threads, past and present |
//! | `snapshot` | their sum |

mod bounds;
mod histogram;
#[expect(
    clippy::module_inception,
    reason = "the type that the room is named after"
)]
mod recorder;
mod shard;
#[cfg(any(test, feature = "prometheus"))]
mod snapshot;

#[cfg(any(test, feature = "prometheus"))]
pub(crate) use bounds::DELAY_SECONDS;
#[cfg(feature = "prometheus")]
pub(crate) use bounds::{BLOCKING_SECONDS, POLL_SECONDS, REQUEST_SECONDS};
pub(crate) use bounds::{Bounds, TickBounds};
pub(crate) use histogram::Histogram;
#[cfg(feature = "prometheus")]
pub(crate) use histogram::HistogramTotals;
pub(crate) use recorder::Recorder;
pub(crate) use shard::{SeriesCells, Shard};
#[cfg(feature = "prometheus")]
pub(crate) use snapshot::SeriesTotals;
