use std::panic::Location;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::instance::{self, Instance};
use crate::model::{RouteId, RuntimeId};
use crate::pool_tasks::{PoolThreadSlot, QueuedTask};
use crate::route::NONE;
use crate::slot::StackAnchor;
use crate::thread_state::{CurrentWork, ThreadState, current_task, pool_thread_slot};

/// [`tokio::task::spawn_blocking`], with its queue wait and run time counted
/// by the route that called it.
///
/// A drop-in replacement: same signature, same [`JoinHandle`], same panics
/// (outside of a runtime), same cancellation (`abort` works until the task has
/// started), same behaviour at shutdown. The task belongs to
///
/// 1. the route of the request whose poll calls this, else
/// 2. the route of the pool task that calls this, else
/// 3. `<none>`: work that no request caused, or that a task spawned by a
///    request caused. With several [`RuntimeHealth`](crate::RuntimeHealth)s in
///    a process the one that was started first counts it; with none it is
///    tokio's call and nothing else.
///    [`RuntimeHealth::spawn_blocking_as`](crate::RuntimeHealth::spawn_blocking_as)
///    gives it a name.
///
/// It shows in `blocking_tasks` (queued, then running),
/// `blocking_queue_wait_seconds` (from this call to the start) and
/// `blocking_run_seconds` (from the start to the end, also when it panics). A
/// task dropped before its start (aborted, or the runtime ended) leaves the
/// queue and shows in neither histogram. Findings on the pool name the line of
/// this call.
///
/// Costs up to 150 ns more than tokio's, which takes microseconds.
///
/// # Panics
///
/// If called outside of a tokio runtime, as tokio's does.
///
/// # Examples
///
/// ```
/// # #[tokio::main] async fn main() {
/// let sum = tower_runtime_health::spawn_blocking(|| (1..=10).sum::<u32>()).await.unwrap();
/// assert_eq!(sum, 55);
/// # }
/// ```
#[track_caller]
pub fn spawn_blocking<F, R>(task: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    match Origin::find() {
        Some(origin) => origin.spawn(task),
        None => tokio::task::spawn_blocking(task),
    }
}

/// [`Handle::spawn_blocking`], counted as by [`spawn_blocking`]: on the pool of
/// the runtime that is given, also from outside of any.
///
/// # Examples
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// let task = tower_runtime_health::spawn_blocking_on(runtime.handle(), || 6 * 7);
/// assert_eq!(runtime.block_on(task).unwrap(), 42);
/// ```
#[track_caller]
pub fn spawn_blocking_on<F, R>(runtime: &Handle, task: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    match Origin::find() {
        Some(mut origin) => {
            // Another runtime, perhaps.
            origin.runtime = None;
            let tracked = TrackedTask::spawned(origin, Location::caller());
            runtime.spawn_blocking(move || run(tracked, task))
        }
        None => runtime.spawn_blocking(task),
    }
}

/// [`tokio::task::block_in_place`], with the calls in progress counted by
/// route (`blocking_in_place`): each takes a thread of the blocking pool, which
/// goes on with the worker's tasks meanwhile.
///
/// # Panics
///
/// On a runtime with one thread, as tokio's does.
#[cfg(feature = "rt-multi-thread")]
#[track_caller]
pub fn block_in_place<F, R>(task: F) -> R
where
    F: FnOnce() -> R,
{
    struct Counted(Origin);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.instance.tasks.in_place_ended(self.0.route);
        }
    }

    // In a pool task it is a plain call.
    let found = Origin::find().filter(|origin| !origin.from_pool);
    let _counted = found.map(|origin| {
        origin.instance.tasks.in_place_began(origin.route);
        Counted(origin)
    });
    tokio::task::block_in_place(task)
}

/// Whom a task belongs to.
pub(crate) struct Origin {
    instance: Arc<Instance>,
    route: RouteId,
    /// Where it is put, if that is known.
    runtime: Option<RuntimeId>,
    from_pool: bool,
}

impl Origin {
    /// Of work that a service has named.
    pub(crate) fn named(instance: &Arc<Instance>, route: RouteId) -> Self {
        Self {
            instance: Arc::clone(instance),
            route,
            runtime: None,
            from_pool: false,
        }
    }

    /// The poll, else the pool task that the calling thread runs; else work that no
    /// request caused.
    fn find() -> Option<Self> {
        let caused_by = |work: CurrentWork, from_pool| Self {
            instance: work.instance,
            route: work.route,
            runtime: work.runtime,
            from_pool,
        };
        if let Some(poll) = ThreadState::current_poll() {
            return Some(caused_by(poll, false));
        }
        if let Some(task) = current_task() {
            return Some(caused_by(task, true));
        }
        Some(Self::named(&instance::oldest()?, NONE))
    }

    /// As [`spawn_blocking`], for this.
    #[track_caller]
    pub(crate) fn spawn<F, R>(self, task: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let tracked = TrackedTask::spawned(self, Location::caller());
        tokio::task::spawn_blocking(move || run(tracked, task))
    }
}

/// The frame that a pool task's stack is read up to.
#[inline(never)]
fn run<F, R>(mut tracked: TrackedTask, task: F) -> R
where
    F: FnOnce() -> R,
{
    tracked.start(StackAnchor::here());
    // `tracked` is dropped after the task, also if it panics.
    task()
}

/// A pool task's way through the counters, which is always gone to its end.
struct TrackedTask {
    origin: Origin,
    site: &'static Location<'static>,
    /// When the current state began, in ticks.
    since: u64,
    stage: Stage,
}

enum Stage {
    Queued(Option<usize>),
    Running(Option<Arc<PoolThreadSlot>>),
}

impl TrackedTask {
    fn spawned(origin: Origin, site: &'static Location<'static>) -> Self {
        let instance = &*origin.instance;
        let since = instance.clock.ticks();
        let place = instance.task_queue.enter(&QueuedTask {
            since,
            route: origin.route,
            runtime: origin.runtime,
            from_pool: origin.from_pool,
            site,
        });
        instance.tasks.spawned(origin.route);
        instance.pool_parker.notify();
        Self {
            origin,
            site,
            since,
            stage: Stage::Queued(place),
        }
    }

    fn start(&mut self, anchor: StackAnchor) {
        let Origin {
            instance,
            route,
            runtime,
            ..
        } = &self.origin;
        let now = instance.clock.ticks();
        if let Stage::Queued(Some(place)) = self.stage {
            instance.task_queue.leave(place);
        }
        instance
            .tasks
            .started(*route, now.saturating_sub(self.since));
        self.since = now;
        let slot = pool_thread_slot(instance);
        if let Some(slot) = &slot {
            slot.enter(now, *route, *runtime, self.site, anchor);
        }
        self.stage = Stage::Running(slot);
    }
}

impl Drop for TrackedTask {
    fn drop(&mut self) {
        let Origin {
            instance, route, ..
        } = &self.origin;
        match &self.stage {
            Stage::Queued(place) => {
                if let Some(place) = place {
                    instance.task_queue.leave(*place);
                }
                instance.tasks.cancelled(*route);
            }
            Stage::Running(slot) => {
                let ran = instance.clock.ticks().saturating_sub(self.since);
                if let Some(slot) = slot {
                    slot.leave();
                }
                instance.tasks.ended(*route, ran);
            }
        }
    }
}
