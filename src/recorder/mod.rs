//! Per-thread counters and histograms that one thread writes without a lock or
//! a read-modify-write, summed by whatever reads them.
//!
//! Every poll of every request adds to a histogram. If threads shared its cells, each poll
//! would wait for a cache line of another core. So each thread has cells of its own, and a
//! scrape pays for the summation.
//!
//! A thread takes its [`Shard`] from [`Recorder::register`], the cells of a series from
//! [`Shard::cells`], and keeps both. It gives the shard back with [`Recorder::retire`] when it
//! ends. A scrape calls `Recorder::snapshot`.
//!
//! # Architecture
//!
//! - **Cells** are the counters and histograms of one route and method in one shard, aligned
//!   so that two threads never write to one cache line. They are allocated when the thread
//!   first meets the series, so memory follows the routes in use.
//! - **Shards** are written by their thread only. The recorder's lock guards the list of
//!   shards, and a scrape holds it only to copy that list.
//! - **Threads that end** have their shard added to a retired one, in one step with its removal
//!   from the list. What is recorded after that goes to the retired shard, under the lock.
//! - **Requests in flight** are a difference of sums. A request's start is counted before its
//!   end, and a reader loads all ends before any start.
//! - **Ticks.** Bounds are converted to ticks once, and sums to seconds by the reader.
//!
//! # Files
//!
//! | file | what |
//! |---|---|
//! | `bounds` | the buckets of every histogram |
//! | `histogram` | [`Histogram`]: fixed buckets and a sum of ticks |
//! | `shard` | [`Shard`]: what one thread has recorded, by route and method |
//! | `recorder` | [`Recorder`]: the shards of all threads, past and present |
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
