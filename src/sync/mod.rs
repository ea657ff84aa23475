//! How threads of the service and threads of this crate meet.
//!
//! Three things are needed in more than one room: atomics that loom can replace, a way to wake
//! a background thread that costs nothing while it is awake, and a list of per-thread entries
//! that its reader copies only when it has changed.
//!
//! # Architecture
//!
//! - **Atomics.** Protocols between threads use atomics and fences from here, so that `ci/loom.sh`
//!   can explore their interleavings. The comment of each atomic names its partner and what it
//!   publishes.
//! - **Parker.** The hot path calls [`Parker::notify`], a relaxed load of one flag. The background
//!   thread announces that it parks, and checks once more a tick later (ARCHITECTURE.md,
//!   "Parking without a fence").
//! - **Registry.** Threads register and deregister under a lock. The reader compares a generation
//!   first. Entries with data that it has not read are kept for it.
//!
//! # Files
//!
//! | file | what |
//! |---|---|
//! | `primitive` | atomics, replaced by loom's in its models |
//! | `parker` | [`Parker`]: parks a background thread, wakes it from the hot path |
//! | `registry` | [`Registry`]: per-thread entries, copied by their one reader |
//! | `race` | what the loom models of the other rooms share |

mod parker;
mod primitive;
#[cfg(all(test, runtime_health_loom))]
pub(crate) mod race;
mod registry;

pub(crate) use parker::Parker;
pub(crate) use primitive::{
    AtomicBool, AtomicPtr, AtomicU64, Ordering, add_exclusive, fence, lock,
};
pub(crate) use registry::Registry;
