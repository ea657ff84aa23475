//! The work of the third part: empty tasks on a pool with one thread.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body_util::Empty;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tower::{Layer, Service, service_fn};
use tower_runtime_health::RuntimeHealth;

/// Spawns an empty task on the pool.
pub type Spawn = fn() -> JoinHandle<()>;

pub const ROUTE: &str = "/work";

/// One pool for all contenders. Its thread stays on one core for long, the spawning
/// thread's or another, and that choice weighs more than the difference to be measured.
/// Our calls set thread-local data of the pool's thread, which tokio's calls do not read.
pub struct Pool(Runtime);

/// Nanoseconds a task.
pub struct Sample {
    /// Queued tasks: spawning one.
    pub put: f64,
    /// Queued tasks: running one.
    pub run: f64,
    /// Tasks spawned by one thread while the pool's thread runs them.
    pub streamed: f64,
    /// Tasks spawned and awaited one after the other.
    pub awaited: f64,
}

/// Tasks of one sample, each way. The crate tells more queued tasks apart than this.
pub const QUEUED: u32 = 500;
pub const STREAMED: u32 = 500;
pub const AWAITED: u32 = 20;
/// Untimed tasks first: another contender had the caches and the branch predictor.
const WARM_UP: u32 = 50;

/// The number of tasks in one sample.
pub const TASKS: u32 = WARM_UP + QUEUED + STREAMED + AWAITED;

impl Pool {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .thread_keep_alive(Duration::from_secs(3600))
            .build();
        Self(runtime.expect("a runtime can be built"))
    }

    pub fn sample(&self, spawn: Spawn) -> Sample {
        let _inside = self.0.enter();
        self.queue(WARM_UP, spawn);
        let (put, run) = self.queue(QUEUED, spawn);
        Sample {
            put,
            run,
            streamed: self.stream(spawn),
            awaited: self.one_by_one(spawn),
        }
    }

    /// Spawns tasks while the pool's thread is blocked, then lets them run. Each part is
    /// timed on its own thread. The hand-over and the wake-up, which take varying
    /// microseconds, are not timed.
    fn queue(&self, tasks: u32, spawn: Spawn) -> (f64, f64) {
        let ((holds, held), (open, opened)) = (sync_channel(1), sync_channel::<()>(1));
        let first = tokio::task::spawn_blocking(move || {
            holds.send(()).expect("the sampler waits");
            opened.recv().expect("the sampler opens it");
            Instant::now()
        });
        held.recv().expect("it starts");
        let start = Instant::now();
        for _ in 0..tasks {
            drop(spawn());
        }
        let put = start.elapsed();
        let last = tokio::task::spawn_blocking(Instant::now);
        open.send(()).expect("it waits");
        let end = self.0.block_on(last).expect("it does not panic");
        let start = self.0.block_on(first).expect("it does not panic");
        (each(put, tasks), each(end - start, tasks))
    }

    fn stream(&self, spawn: Spawn) -> f64 {
        let start = Instant::now();
        for _ in 1..STREAMED {
            drop(spawn());
        }
        self.0.block_on(spawn()).expect("it does not panic");
        each(start.elapsed(), STREAMED)
    }

    fn one_by_one(&self, spawn: Spawn) -> f64 {
        let start = Instant::now();
        for _ in 0..AWAITED {
            self.0.block_on(spawn()).expect("it does not panic");
        }
        each(start.elapsed(), AWAITED)
    }
}

fn each(time: Duration, tasks: u32) -> f64 {
    time.as_nanos() as f64 / f64::from(tasks)
}

/// Calls `what` inside a request of the route [`ROUTE`].
pub fn in_request<T>(health: &RuntimeHealth, what: impl Fn() -> T) -> T {
    let mut result = None;
    let handler = |_: Request<()>| -> Ready<Result<Response<Empty<&[u8]>>, Infallible>> {
        result = Some(what());
        ready(Ok(Response::new(Empty::new())))
    };
    let layer = health.layer().route_by(|_| Some(ROUTE.into()));
    // The handler is done when `call` has returned.
    drop(layer.layer(service_fn(handler)).call(Request::new(())));
    result.expect("the service calls its handler")
}
