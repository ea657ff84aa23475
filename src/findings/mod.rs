//! From evidence to findings.
//!
//! A service can block thousands of times a minute, in a few places. Its team needs a short
//! list: which handler, why, on which line, how often, and what to do about it. This room
//! decides the cause of each blocking poll and groups polls into such a list, which is
//! bounded.
//!
//! It only decides. It starts no thread and reads no `/proc`: the watchdog and the pool
//! monitor bring the evidence.
//!
//! # Architecture
//!
//! - **Cause.** `classify` is a pure function from [`Evidence`] to a
//!   [`Cause`](crate::Cause). The name of the innermost function never decides.
//! - **Grouping.** Each round of the watchdog hands over one [`PollUpdate`] per blocking poll.
//!   Polls with the same route, method, cause and place are one [`Finding`].
//! - **Bounds.** A store holds a limited number of findings and evicts the least recently
//!   seen. A finding logs at most one event per interval. All that is dropped or suppressed
//!   is counted.
//!
//! # Files
//!
//! | file | what |
//! |---|---|
//! | `classify` | from evidence to a [`Cause`](crate::Cause); pure |
//! | `advice` | what to do about each cause |
//! | `diagnosis` | what is known about one poll |
//! | `poll_update` | what one round of the watchdog learned about blocking polls |
//! | `finding` | [`Finding`] and its text and JSON |
//! | `store` | [`FindingStore`]: takes updates, lists findings, says what to log |
//! | `entries` | groups polls and evicts findings |
//! | `stalls` | blocking polls in progress at this moment |
//! | `event` | the log event of a finding |
//! | `pool_finding`, `pool_json`, `pool_store`, `pool_event` | the same for blocking pools |
//! | `format` | times and chains of functions, as text |

mod advice;
mod classify;
mod diagnosis;
mod entries;
mod event;
mod finding;
mod format;
mod poll_update;
mod pool_event;
mod pool_finding;
#[cfg(feature = "serde")]
mod pool_json;
mod pool_store;
#[cfg(feature = "prometheus")]
mod stalls;
mod store;

pub(crate) use classify::{Evidence, StateCounts, TimeSplit, classify, was_delayed_by_contention};
pub(crate) use diagnosis::Diagnosis;
pub(crate) use event::{Event, log_start};
pub use finding::{AlsoSeen, Finding, ThreadTimes};
#[cfg(feature = "server")]
pub(crate) use format::rfc3339;
pub(crate) use poll_update::{Observation, PollUpdate, RoundUpdates};
pub(crate) use pool_event::{Transition, log_pool_event};
pub use pool_finding::{PoolExample, PoolFinding, PoolFindingKind, PoolHolder};
pub(crate) use pool_store::PoolFindingStore;
#[cfg(feature = "prometheus")]
pub(crate) use stalls::stalls;
pub(crate) use store::FindingStore;
