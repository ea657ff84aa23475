//! The poll a thread is in, readable by another thread at any moment.
//!
//! A thread that is stuck in a poll cannot report it. So it publishes each poll before it
//! begins, and other threads read what it is in: the watchdog to examine it, the exporter to
//! count stalls, `spawn_blocking` to find the request it was called by. Publishing must cost
//! a few plain stores, and a reader must be able to tell whether what it read belongs
//! together.
//!
//! The thread calls [`Slot::enter`], polls, and calls [`Slot::leave`]. If the poll was a
//! blocking one, it calls [`Slot::note_ended`] before it leaves. Readers call [`Slot::read`].
//! The watchdog alone calls [`Slot::take_ended`] and [`Slot::set_cause`].
//!
//! # Architecture
//!
//! - **One writer.** A slot belongs to one thread and one instance. The thread finds it
//!   through its [`ThreadState`](crate::thread_state::ThreadState), readers through the
//!   instance's registry of slots.
//! - **A sequence lock.** The sequence is odd while a poll is in progress. It identifies the
//!   poll, too: a reader compares it later to learn whether the same poll still runs.
//! - **Ended polls.** They are queued before the slot is left, and the watchdog reads the slot
//!   before it takes them. So no poll that it saw running gets lost unnoticed.
//! - **Causes.** The watchdog writes the cause of a poll to its slot, and the thread counts the
//!   poll under it when it ends.
//!
//! ARCHITECTURE.md has the argument for the orderings ("The slot"), `loom.rs` the model that
//! checks them.
//!
//! # Files
//!
//! | file | what |
//! |---|---|
//! | `anchor` | [`StackAnchor`]: the stack frame that a walk up the stack has to reach |
//! | `slot` | [`Slot`]: a sequence lock with one writer |
//! | `ended` | blocking polls that have ended: a queue from the thread to the watchdog |
//! | `word` | series and phase of a poll in one word |
//! | `loom` | models of both protocols |

mod anchor;
mod ended;
#[cfg(all(test, runtime_health_loom))]
mod loom;
#[expect(
    clippy::module_inception,
    reason = "the type that the room is named after"
)]
mod slot;
mod word;

pub(crate) use anchor::StackAnchor;
pub(crate) use ended::EndedPoll;
pub(crate) use slot::{InProgress, Slot};
