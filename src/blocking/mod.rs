//! `spawn_blocking` and its kin: drop-in replacements for tokio's that count each task by
//! the route that caused it.

mod spawn;

pub(crate) use spawn::Origin;
#[cfg(feature = "rt-multi-thread")]
pub use spawn::block_in_place;
pub use spawn::{spawn_blocking, spawn_blocking_on};
