//! What one thread owns of one instance: all thread-local data of the crate.
//!
//! A poll needs the thread's slot, its cells and its copy of the route names, and must not
//! search for them. The middleware and `spawn_blocking` both need to know which request a
//! thread is polling, and must not depend on each other. So both use this room.
//!
//! A request that begins calls [`ThreadState::of`] and takes a [`SeriesRecorder`]. Before each
//! poll it asks [`SeriesRecorder::is_here`], which compares one number, and calls
//! [`SeriesRecorder::move_here`] if the task has moved to another thread.
//! [`ThreadState::current_poll`] and [`current_task`] return what the calling thread runs.
//!
//! # Architecture
//!
//! - **By instance.** A thread has one [`ThreadState`] per instance, so several instances work
//!   side by side. The first is found without a search, and is nearly always the only one.
//! - **By series.** A [`SeriesRecorder`] holds everything that a poll of one series writes to on
//!   one thread. Recorders of recent routes are found by the hash of their name.
//! - **Weak references.** Neither keeps the instance alive. Once the last handle, layer and
//!   service are dropped, requests that continue record into data that nothing reads.
//! - **The end of a thread.** Dropping a [`ThreadState`] retires its shard and deregisters its
//!   slot. A request that is dropped after that is recorded under the recorder's lock.
//!
//! # Files
//!
//! | file | what |
//! |---|---|
//! | `thread` | [`ThreadState`]: a thread's slot, its shard, its copy of the route names |
//! | `series_recorder` | [`SeriesRecorder`]: everything that a poll of one series writes to on one thread |
//! | `latest` | which of a thread's states was asked for last, in one thread-local number |
//! | `migrate` | a recorder of one thread exchanged for that of another |
//! | `pool_thread` | a pool thread's [`PoolThreadSlot`](crate::pool_tasks::PoolThreadSlot)s |

mod latest;
mod migrate;
mod pool_thread;
mod series_recorder;
mod thread;

use std::sync::Arc;

pub(crate) use pool_thread::{current_task, pool_thread_slot};
pub(crate) use series_recorder::SeriesRecorder;
pub(crate) use thread::ThreadState;

use crate::instance::Instance;
use crate::model::{RouteId, RuntimeId};

/// The poll or pool task that the calling thread runs.
pub(crate) struct CurrentWork {
    pub(crate) instance: Arc<Instance>,
    pub(crate) route: RouteId,
    /// The runtime the thread belongs to, if known.
    pub(crate) runtime: Option<RuntimeId>,
}
