//! `spawn_blocking` and its kin: drop-in replacements for tokio's that count each task by
//! the route that caused it.
//!
//! tokio does not show how long a task waits for a thread of the blocking pool, which tasks
//! hold the threads, or which request put them there. A wrapped task shows all of it.
//!
//! [`spawn_blocking`] and [`spawn_blocking_on`] take what tokio's take and return tokio's
//! `JoinHandle`. `block_in_place` counts its calls in progress. Without an instance in the
//! process, each is tokio's call and nothing else.
//!
//! # Architecture
//!
//! - **Origin.** A task belongs to the route of the poll that calls, else to that of the pool task
//!   that calls. Otherwise no request caused it, and the oldest instance counts it.
//! - **Life of a task.** It is queued in
//!   [`TaskQueue`](crate::pool_tasks::TaskQueue), enters the
//!   [`PoolThreadSlot`](crate::pool_tasks::PoolThreadSlot) of its thread when it starts, and is
//!   counted as ended or cancelled by its destructor: also if it panics, is aborted, or the
//!   runtime shuts down.
//! - **The anchor.** The function that runs the task is never inlined, so that the task's stack
//!   can be proven.
//!
//! # Files
//!
//! | file | what |
//! |---|---|
//! | `spawn` | the functions, where a task comes from, and its way through the counters |

mod spawn;

pub(crate) use spawn::Origin;
#[cfg(feature = "rt-multi-thread")]
pub use spawn::block_in_place;
pub use spawn::{spawn_blocking, spawn_blocking_on};
