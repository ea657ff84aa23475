//! Tasks of this crate's `spawn_blocking`: how many are queued and running, which ones, and
//! on which threads. Written by the service's threads, read by the pool monitor.
//!
//! | file | what |
//! |---|---|
//! | `counters` | [`TaskCounters`]: counters and histograms by route |
//! | `queue` | [`TaskQueue`]: the tasks that wait for a thread |
//! | `thread_slot` | [`PoolThreadSlot`]: a pool thread and the task it runs |

mod counters;
#[cfg(all(test, runtime_health_loom))]
mod loom;
mod queue;
mod thread_slot;

pub(crate) use counters::{TaskCounters, TaskSums};
pub(crate) use queue::{QueuedTask, TaskQueue};
pub(crate) use thread_slot::{PoolThreadSlot, RunningTask};
