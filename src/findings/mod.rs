//! What blocking polls and blocking pools amount to: from evidence to a cause, and from
//! many polls to bounded findings. Decisions only: no thread, no `/proc`.
//!
//! | file | what |
//! |---|---|
//! | `classify` | from evidence to a [`Cause`](crate::Cause); pure |
//! | `advice` | what to do about each cause |
//! | `diagnosis` | what is known of one poll |
//! | `poll_update` | what one round of the watchdog saw of one poll |
//! | `finding` | [`Finding`], as users see it |
//! | `store` | findings, grouped and bounded |
//! | `stalls` | blocking polls in progress at this moment |
//! | `event` | the log event of a finding |
//! | `pool_finding`, `pool_store`, `pool_event` | the same for blocking pools |
//! | `format` | times in log events and JSON |

mod advice;
mod classify;
mod diagnosis;
mod event;
mod finding;
mod format;
mod poll_update;
mod pool_event;
mod pool_finding;
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
pub(crate) use poll_update::{Observation, PollUpdate};
pub(crate) use pool_event::{Transition, log_pool_event};
pub use pool_finding::{PoolExample, PoolFinding, PoolFindingKind, PoolHolder};
pub(crate) use pool_store::PoolFindingStore;
#[cfg(feature = "prometheus")]
pub(crate) use stalls::stalls;
pub(crate) use store::{FindingStore, RoundUpdates};
