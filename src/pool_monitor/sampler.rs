use std::collections::HashMap;

use super::task_snapshot::{BusyThread, TaskSnapshot};
use super::thread_names::ThreadNames;
use super::thread_reader::ThreadReader;
use crate::clock::Clock;
use crate::pool_tasks::QueuedTask;
use crate::runtime::{ObservedPool, Sample, kernel_thread_name};

/// The sample of one pool, and the wrapped tasks on it.
pub(super) struct PoolView<'t> {
    pub(super) sample: Sample,
    pub(super) queued_tasks: Vec<&'t QueuedTask>,
    pub(super) busy_threads: Vec<&'t BusyThread>,
}

/// Samples the threads and tasks of all pools.
#[derive(Debug)]
pub(super) struct Sampler {
    names: ThreadNames,
    pub(super) reader: ThreadReader,
}

impl Sampler {
    pub(super) fn new(clock: &Clock) -> Self {
        Self {
            names: ThreadNames::default(),
            reader: ThreadReader::new(clock),
        }
    }

    /// Samples all pools. Returns one view per pool, in the same order.
    pub(super) fn sample<'t>(
        &mut self,
        pools: &[ObservedPool],
        tasks: &'t TaskSnapshot,
    ) -> Vec<PoolView<'t>> {
        let has_names = self.names.refresh();
        let pool_of = assign(&tasks.busy_threads, pools);
        let views = pools.iter().enumerate().map(|(index, observed)| {
            let assigned = tasks.busy_threads.iter().zip(&pool_of);
            let busy_threads: Vec<_> = assigned
                .filter(|(_, pool)| **pool == Some(index))
                .map(|(busy, _)| busy)
                .collect();
            if !is_hooked(observed)
                && let Some(busy) = busy_threads.first()
            {
                let name = kernel_thread_name(busy.slot.thread());
                observed.pool.set_thread_name(name);
            }
            let is_only = pools.len() == 1;
            let is_here = |task: &&QueuedTask| match task.runtime {
                Some(id) => id == observed.id,
                None => is_only,
            };
            let queued_tasks: Vec<_> = tasks.queued_tasks.iter().filter(is_here).collect();
            // The sum includes tasks that found no room in the queue's list.
            let queued = if is_only {
                tasks.sums.queued
            } else {
                queued_tasks.len() as u64
            };
            let (threads, idle) = self.count_threads(observed, pools, &busy_threads, has_names);
            PoolView {
                sample: Sample {
                    threads,
                    idle,
                    queued,
                    running: busy_threads.len() as u64,
                    exact: observed.exact,
                },
                queued_tasks,
                busy_threads,
            }
        });
        let views = views.collect();
        self.reader.forget_all_but(&self.names);
        views
    }

    /// Returns how many threads a pool has, and how many of them are idle.
    fn count_threads(
        &mut self,
        observed: &ObservedPool,
        pools: &[ObservedPool],
        busy_threads: &[&BusyThread],
        has_names: bool,
    ) -> (Option<usize>, Option<usize>) {
        let pool = &observed.pool;
        if let (Some(alive), Some(hooks)) = (pool.hooked_threads(observed.workers), &pool.hooks) {
            let idle = self.reader.count_idle(&hooks.threads(), busy_threads);
            let count = alive - observed.workers;
            return (Some(count), idle.map(|idle| idle.min(count)));
        }
        let Some(name) = pool.thread_name().filter(|_| has_names) else {
            return (None, None);
        };
        let threads = self.names.named(name);
        // The threads of pools with the same thread name cannot be told apart.
        let is_namesake =
            |other: &&ObservedPool| !is_hooked(other) && other.pool.thread_name() == Some(name);
        let namesakes: Vec<_> = pools.iter().filter(is_namesake).collect();
        let workers: usize = namesakes.iter().map(|other| other.workers).sum();
        let count = threads.len().saturating_sub(workers);
        let idle = match namesakes.len() {
            1 => self.reader.count_idle(&threads, busy_threads),
            _ => None,
        };
        (Some(count), idle.map(|idle| idle.min(count)))
    }
}

/// Returns whether the threads of a pool are counted by tokio's hooks.
fn is_hooked(observed: &ObservedPool) -> bool {
    observed.pool.hooked_threads(observed.workers).is_some()
}

/// Returns the index of the pool that each busy thread belongs to. The hooks decide, otherwise
/// the runtime on which its task was spawned. `None` if that is unknown.
fn assign(busy_threads: &[BusyThread], pools: &[ObservedPool]) -> Vec<Option<usize>> {
    let mut hooked = HashMap::new();
    for (index, observed) in pools.iter().enumerate() {
        if is_hooked(observed)
            && let Some(hooks) = &observed.pool.hooks
        {
            hooked.extend(hooks.threads().into_iter().map(|thread| (thread, index)));
        }
    }
    let by_task = |busy: &BusyThread| {
        let index = match (busy.slot.runtime(), pools) {
            (Some(id), _) => pools.iter().position(|observed| observed.id == id),
            (None, [_]) => Some(0),
            (None, _) => None,
        };
        // A hooked pool would have listed the thread.
        index.filter(|index| pools.get(*index).is_some_and(|pool| !is_hooked(pool)))
    };
    busy_threads
        .iter()
        .map(|busy| {
            let hooked = hooked.get(&busy.slot.thread_id());
            hooked.copied().or_else(|| by_task(busy))
        })
        .collect()
}
