//! The poll a thread is in, readable by another thread at any moment.
//!
//! Each thread has one [`Slot`] for each instance. The thread writes it with
//! plain stores; the watchdog and the exporter read it and know whether what
//! they read belongs together. `DESIGN.md` has the argument for the orderings,
//! `loom.rs` the model that checks them.

mod alarm;
mod ended;
#[cfg(all(test, runtime_health_loom))]
mod loom;
// Named as the room: it is the one type the room exists for.
#[allow(clippy::module_inception)]
mod slot;

pub(crate) use alarm::Alarm;
pub(crate) use ended::EndedPoll;
pub(crate) use slot::{InProgress, Mark, RuntimeId, Slot};

/// Which of the three places a poll was in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// The synchronous part of `Service::call`, before it returns a future.
    Call,
    /// `Future::poll` of the response future.
    Poll,
    /// `Body::poll_frame` of the response body.
    Body,
}

impl Phase {
    /// The word used in log events and JSON: `call`, `poll` or `body`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Poll => "poll",
            Self::Body => "body",
        }
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
