use std::cell::RefCell;
use std::sync::{Arc, Mutex, Weak};

use tokio::task::JoinHandle;

use crate::instance::Instance;
use crate::local::Local;
use crate::primitive::lock;
use crate::recorder::RouteId;
use crate::route::NONE;

thread_local! {
    /// What the task on this pool thread was put there for, so that a task it
    /// puts there in turn belongs to the same route.
    static RUNNING: RefCell<Option<(Weak<Instance>, RouteId)>> = const { RefCell::new(None) };
}

/// Instances that are alive, oldest first: the first one counts the tasks that
/// no request caused. Read only for those.
static ADOPTERS: Mutex<Vec<Weak<Instance>>> = Mutex::new(Vec::new());

/// Makes an instance known as one that counts tasks caused by no request.
pub(crate) fn adopt(instance: &Arc<Instance>) {
    let mut adopters = lock(&ADOPTERS);
    adopters.retain(|instance| instance.strong_count() > 0);
    adopters.push(Arc::downgrade(instance));
}

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
///
/// It shows in `blocking_tasks` (queued, then running),
/// `blocking_queue_wait_seconds` (from this call to the start) and
/// `blocking_run_seconds` (from the start to the end, also when it panics). A
/// task dropped before its start (aborted, or the runtime ended) leaves the
/// queue and shows in neither histogram.
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
    match origin() {
        Some((instance, route)) => spawn_from(instance, route, task),
        None => tokio::task::spawn_blocking(task),
    }
}

/// As [`spawn_blocking`], with the route given.
#[track_caller]
pub(crate) fn spawn_from<F, R>(instance: Arc<Instance>, route: RouteId, task: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let mut tracked = TrackedTask::spawned(instance, route);
    tokio::task::spawn_blocking(move || {
        tracked.start();
        // `tracked` is dropped after the task, also if it panics.
        task()
    })
}

fn origin() -> Option<(Arc<Instance>, RouteId)> {
    Local::current_route()
        .or_else(|| {
            RUNNING
                .try_with(|running| {
                    let running = running.try_borrow().ok()?;
                    let (instance, route) = running.as_ref()?;
                    Some((instance.upgrade()?, *route))
                })
                .ok()?
        })
        .or_else(|| {
            let instance = lock(&ADOPTERS).iter().find_map(Weak::upgrade)?;
            Some((instance, NONE))
        })
}

/// A pool task's way through the counters, which is always gone to its end.
struct TrackedTask {
    instance: Arc<Instance>,
    route: RouteId,
    /// When the current state began, in ticks.
    since: u64,
    running: bool,
}

impl TrackedTask {
    fn spawned(instance: Arc<Instance>, route: RouteId) -> Self {
        let since = instance.clock.ticks();
        instance.tasks.spawned(route);
        Self {
            instance,
            route,
            since,
            running: false,
        }
    }

    fn start(&mut self) {
        let now = self.instance.clock.ticks();
        self.instance
            .tasks
            .started(self.route, now.saturating_sub(self.since));
        self.since = now;
        self.running = true;
        set_running(Some((Arc::downgrade(&self.instance), self.route)));
    }
}

impl Drop for TrackedTask {
    fn drop(&mut self) {
        if self.running {
            let ran = self.instance.clock.ticks().saturating_sub(self.since);
            self.instance.tasks.ended(self.route, ran);
            set_running(None);
        } else {
            self.instance.tasks.cancelled(self.route);
        }
    }
}

fn set_running(running: Option<(Weak<Instance>, RouteId)>) {
    // Fails only while the thread is torn down, when nothing can run on it.
    let _ = RUNNING.try_with(|current| {
        if let Ok(mut current) = current.try_borrow_mut() {
            *current = running;
        }
    });
}
