//! The poll a thread is in, readable by another thread at any moment.
//!
//! Each thread has one [`Slot`] per instance. It writes the slot with plain stores. The
//! watchdog and the exporter read it and can tell whether what they read belongs together.
//! ARCHITECTURE.md has the argument for the orderings, `loom.rs` the model that checks
//! them.
//!
//! | file | what |
//! |---|---|
//! | `anchor` | [`StackAnchor`]: the stack frame that a walk up the stack has to reach |
//! | `slot` | [`Slot`]: a sequence lock with one writer |
//! | `ended` | blocking polls that have ended: a queue from the thread to the watchdog |
//! | `loom` | models of both |

mod anchor;
mod ended;
#[cfg(all(test, runtime_health_loom))]
mod loom;
#[expect(
    clippy::module_inception,
    reason = "the type that the room is named after"
)]
mod slot;

pub(crate) use anchor::StackAnchor;
pub(crate) use ended::EndedPoll;
pub(crate) use slot::{InProgress, Slot};
