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

/// Runs a blocking closure like [`tokio::task::spawn_blocking`], and records its
/// queue wait and run time under the route of the caller.
///
/// It is a drop-in replacement: signature, [`JoinHandle`], panics, cancellation
/// (`abort` works until the task has started) and behaviour at shutdown are the
/// same. The task belongs to the first of these that applies:
///
/// 1. The route of the request whose poll makes the call.
/// 2. The route of the pool task that makes the call.
/// 3. `<none>`. This includes calls from a task that a request has spawned. Use
///    [`RuntimeHealth::spawn_blocking_as`](crate::RuntimeHealth::spawn_blocking_as)
///    to name such work. If a process has several
///    [`RuntimeHealth`](crate::RuntimeHealth)s, the one started first counts it. If it
///    has none, only tokio's function is called.
///
/// The task appears in these metrics:
///
/// - `blocking_tasks`: first as queued, then as running.
/// - `blocking_queue_wait_seconds`: the time from this call to the start.
/// - `blocking_run_seconds`: the time from the start to the end, also if it panics.
///
/// A task that is dropped before its start, because it was aborted or the runtime
/// shut down, appears in neither histogram. Findings on the pool name the line of
/// this call.
///
/// It costs about 0.1 µs more than tokio's function, which takes microseconds.
///
/// # Panics
///
/// Panics if called outside a tokio runtime, as tokio's function does.
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

/// Runs a blocking closure like [`Handle::spawn_blocking`], and records it like
/// [`spawn_blocking`].
///
/// The closure runs on the pool of the given runtime. The call also works outside any
/// runtime.
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
            // The given runtime may be another one than the caller's.
            origin.runtime = None;
            let tracked = TrackedTask::spawned(origin, Location::caller());
            runtime.spawn_blocking(move || run(tracked, task))
        }
        None => runtime.spawn_blocking(task),
    }
}

/// Runs a blocking closure like [`tokio::task::block_in_place`], and counts the calls
/// in progress by route (`blocking_in_place`).
///
/// Each call on a worker occupies a thread of the blocking pool, which runs the
/// worker's tasks meanwhile. A call from a pool task occupies no further thread and is
/// not counted.
///
/// # Panics
///
/// Panics on a current-thread runtime, as tokio's function does.
///
/// # Examples
///
/// ```
/// # #[tokio::main] async fn main() {
/// let sum = tower_runtime_health::block_in_place(|| (1..=10).sum::<u32>());
/// assert_eq!(sum, 55);
/// # }
/// ```
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

    // From a pool task tokio only calls the closure.
    let found = Origin::find().filter(|origin| !origin.from_pool);
    let _counted = found.map(|origin| {
        origin.instance.tasks.in_place_began(origin.route);
        Counted(origin)
    });
    tokio::task::block_in_place(task)
}

/// The service and route that a task belongs to.
pub(crate) struct Origin {
    instance: Arc<Instance>,
    route: RouteId,
    /// The runtime whose pool runs the task, if known.
    runtime: Option<RuntimeId>,
    from_pool: bool,
}

impl Origin {
    /// The origin of work that was named explicitly.
    pub(crate) fn named(instance: &Arc<Instance>, route: RouteId) -> Self {
        Self {
            instance: Arc::clone(instance),
            route,
            runtime: None,
            from_pool: false,
        }
    }

    /// Returns the poll or else the pool task that the calling thread runs, or else
    /// the origin of work that no request caused.
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

    /// Runs a task like [`spawn_blocking`], on behalf of this origin.
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

/// Runs a task. A stack walk of the task ends at this function's frame.
#[inline(never)]
fn run<F, R>(mut tracked: TrackedTask, task: F) -> R
where
    F: FnOnce() -> R,
{
    tracked.start(StackAnchor::here());
    // `tracked` is dropped after the task, also if it panics.
    task()
}

/// Counts a pool task through its states. Its destructor counts the last one, so no
/// task remains queued or running in the counters.
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
