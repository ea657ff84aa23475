//! tokio's blocking pool: who puts work there, how long it waits, how long it
//! runs.
//!
//! | file | what |
//! |---|---|
//! | `spawn` | [`spawn_blocking`](crate::spawn_blocking), drop-in for tokio's |
//! | `cells` | its counters and histograms, by route |

mod cells;
mod spawn;

pub(crate) use cells::TaskCells;
pub use spawn::spawn_blocking;
pub(crate) use spawn::{adopt, spawn_from};
