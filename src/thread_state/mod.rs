//! What one thread owns of one instance: all thread-local data of the crate.
//!
//! | file | what |
//! |---|---|
//! | `thread` | [`ThreadState`]: a thread's slot, its shard, its copy of the route names |
//! | `series_recorder` | [`SeriesRecorder`]: everything that a poll of one series writes to on one thread |
//! | `pool_thread` | a pool thread's [`PoolThreadSlot`](crate::pool_tasks::PoolThreadSlot)s |

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
