use std::sync::Arc;

use crate::instance::Instance;
use crate::pool_tasks::{PoolThreadSlot, QueuedTask, RunningTask, TaskSums};

/// A pool thread that runs a wrapped task.
#[derive(Debug)]
pub(super) struct BusyThread {
    pub(super) slot: Arc<PoolThreadSlot>,
    pub(super) task: RunningTask,
}

/// All wrapped tasks of one instance at one moment.
#[derive(Debug)]
pub(super) struct TaskSnapshot {
    pub(super) sums: TaskSums,
    pub(super) queued_tasks: Vec<QueuedTask>,
    pub(super) busy_threads: Vec<BusyThread>,
}

impl TaskSnapshot {
    pub(super) fn take(instance: &Instance) -> Self {
        let threads = instance.pool_threads.list().into_iter();
        let busy = |slot: Arc<PoolThreadSlot>| {
            let task = slot.read()?;
            Some(BusyThread { slot, task })
        };
        Self {
            sums: instance.tasks.sums(),
            queued_tasks: instance.task_queue.list().collect(),
            busy_threads: threads.filter_map(busy).collect(),
        }
    }
}
