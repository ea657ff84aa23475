//! tokio's blocking pool: who puts work there, how long it waits, how long it
//! runs.
//!
//! | file | what |
//! |---|---|
//! | `spawn` | [`spawn_blocking`](crate::spawn_blocking), drop-in for tokio's, and its kin |
//! | `cells` | its counters and histograms, by route |
//! | `waiting` | the tasks that wait for a thread |
//! | `seat` | a pool thread and the task it is in |

mod cells;
mod seat;
mod spawn;
mod waiting;

pub(crate) use cells::{TaskCells, TaskSums};
pub(crate) use seat::{Seat, Seated};
#[cfg(feature = "rt-multi-thread")]
pub use spawn::block_in_place;
pub(crate) use spawn::{Origin, adopt, disown};
pub use spawn::{spawn_blocking, spawn_blocking_on};
pub(crate) use waiting::{Waiting, Waits};
