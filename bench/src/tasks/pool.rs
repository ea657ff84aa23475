//! Work of the third part: empty tasks on a pool with one thread.

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

/// Puts an empty task on the pool.
pub type Spawn = fn() -> JoinHandle<()>;

pub const ROUTE: &str = "/work";

/// A runtime of its own: what one contender leaves in the local data of its
/// pool thread is not found in the way of another one's.
pub struct Pool(Runtime);

/// Nanoseconds each.
#[derive(Clone, Copy)]
pub struct Sample {
    pub spawn: f64,
    pub run: f64,
}

impl Pool {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .thread_keep_alive(Duration::from_secs(3600))
            .build();
        Self(runtime.expect("a runtime can be built"))
    }

    /// Puts so many tasks on the pool while its thread is held, then lets them
    /// run. Each part is timed on the thread it happens on; the hand-over and
    /// the waking, microseconds that vary, fall in between.
    pub fn queue(&self, tasks: u64, spawn: Spawn) -> Sample {
        let _inside = self.0.enter();
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
        let spawn = start.elapsed();
        let last = tokio::task::spawn_blocking(Instant::now);
        open.send(()).expect("it waits");
        let end = self.0.block_on(last).expect("it does not panic");
        let start = self.0.block_on(first).expect("it does not panic");
        let each = |time: Duration| time.as_nanos() as f64 / tasks as f64;
        Sample {
            spawn: each(spawn),
            run: each(end - start),
        }
    }

    /// One task after the other, each awaited: with the waking of both threads.
    pub fn one_by_one(&self, tasks: u64, spawn: Spawn) -> f64 {
        self.0.block_on(async {
            let start = Instant::now();
            for _ in 0..tasks {
                spawn().await.expect("it does not panic");
            }
            start.elapsed().as_nanos() as f64 / tasks as f64
        })
    }
}

/// Does something in a request of the route [`ROUTE`].
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
