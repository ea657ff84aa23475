//! The thread that sees blocking polls while they are still going on.
//!
//! | file | what |
//! |---|---|
//! | `thread` | its loop: tick, sleep, wake, end |
//! | `detect` | what a slot's reading means; pure |
//! | `finding` | [`Finding`] and [`Cause`], as users see them |
//! | `store` | findings, grouped and bounded |
//! | `event` | the log event |

mod detect;
mod event;
mod finding;
mod store;
mod thread;

pub(crate) use detect::stalls;
#[cfg(feature = "serde")]
pub(crate) use finding::rfc3339;
pub use finding::{Cause, Finding};
pub(crate) use store::FindingStore;
pub(crate) use thread::Watchdog;
