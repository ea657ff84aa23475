//! The data of one [`RuntimeHealth`](crate::RuntimeHealth) that the hot path reads and writes,
//! shared by all threads of the service.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use crate::clock::Clock;
use crate::pool_tasks::{PoolThreadSlot, TaskCounters, TaskQueue};
use crate::recorder::{Bounds, Recorder};
use crate::route::Interner;
use crate::slot::Slot;
use crate::sync::{Parker, Registry, lock};

/// The data that each poll reads.
#[derive(Debug)]
pub(crate) struct PollConfig {
    pub(crate) clock: Clock,
    pub(crate) bounds: Bounds,
    /// The ticks from which a poll counts as blocking.
    pub(crate) threshold: u64,
    /// Wakes the watchdog.
    pub(crate) parker: Parker,
}

#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) clock: Clock,
    pub(crate) poll_config: Arc<PollConfig>,
    /// One request in this many has its wake-to-poll delay measured; `None` for none.
    pub(crate) delay_sampling: Option<u32>,
    /// Every request is measured while a thread has fewer than one in this many ticks.
    pub(crate) delay_rest: u64,
    pub(crate) routes: Interner,
    pub(crate) recorder: Recorder,
    pub(crate) slots: Registry<Slot>,
    pub(crate) tasks: TaskCounters,
    /// Wrapped pool tasks that are queued.
    pub(crate) task_queue: TaskQueue,
    /// Pool threads, each with the wrapped task it runs.
    pub(crate) pool_threads: Registry<PoolThreadSlot>,
    /// Wakes the pool monitor.
    pub(crate) pool_parker: Parker,
}

impl Instance {
    pub(crate) fn new(
        clock: Clock,
        threshold: Duration,
        max_routes: usize,
        delay_sampling: Option<u32>,
    ) -> Self {
        let bounds = Bounds::new(|seconds| clock.ticks_in(Duration::from_secs_f64(seconds)));
        let routes = Interner::new(max_routes);
        Self {
            poll_config: Arc::new(PollConfig {
                clock: clock.clone(),
                bounds: bounds.clone(),
                threshold: clock.ticks_in(threshold),
                parker: Parker::new(),
            }),
            delay_sampling,
            delay_rest: clock.ticks_in(Duration::from_millis(10)),
            tasks: TaskCounters::new(routes.capacity(), bounds.blocking),
            recorder: Recorder::new(bounds),
            routes,
            slots: Registry::new(),
            task_queue: TaskQueue::new(),
            pool_threads: Registry::new(),
            pool_parker: Parker::new(),
            clock,
        }
    }
}

/// Instances that have a handle, oldest first. The only global list of instances. It is read
/// only for pool tasks that no request caused.
static INSTANCES: Mutex<Vec<Weak<Instance>>> = Mutex::new(Vec::new());

/// Returns the oldest instance that has a handle. It counts the pool tasks that no request
/// caused.
pub(crate) fn oldest() -> Option<Arc<Instance>> {
    lock(&INSTANCES).iter().find_map(Weak::upgrade)
}

/// Keeps an instance's background threads running. Every handle, layer and service holds it.
/// The threads end when the last of those is dropped.
pub(crate) struct KeepAlive {
    instance: Arc<Instance>,
    /// Owns the threads, which stop when it is dropped. The type is erased, so that the hot path
    /// does not depend on the rooms of the threads.
    _threads: Box<dyn Any + Send + Sync>,
}

impl KeepAlive {
    /// Adds the instance to those that may count pool tasks no request caused.
    pub(crate) fn new(instance: Arc<Instance>, threads: impl Any + Send + Sync) -> Self {
        let mut instances = lock(&INSTANCES);
        instances.retain(|instance| instance.strong_count() > 0);
        instances.push(Arc::downgrade(&instance));
        drop(instances);
        Self {
            instance,
            _threads: Box::new(threads),
        }
    }

    #[inline]
    pub(crate) fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }
}

impl fmt::Debug for KeepAlive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeepAlive")
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}

impl Drop for KeepAlive {
    /// Removes the instance from the list. Its threads and pool tasks may keep its data for a
    /// while, but no handle reads it any more.
    fn drop(&mut self) {
        let dropped = Arc::as_ptr(&self.instance);
        lock(&INSTANCES).retain(|instance| !std::ptr::eq(instance.as_ptr(), dropped));
    }
}
