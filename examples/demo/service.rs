//! The service: good and bad ways to write a handler.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use http_body_util::StreamBody;
use tower_runtime_health::spawn_blocking;

/// Few, so that one blocked worker affects the other routes.
pub const WORKERS: usize = 2;
/// tokio's default is 512. A service may set a lower limit, for example the number of
/// connections in its database pool.
pub const POOL: usize = 40;

const PING: Duration = Duration::from_millis(150);

pub fn router() -> Router {
    Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route("/users/{id}", get(user))
        .route("/ping/terrible", get(ping_terrible))
        .route("/ping/good", get(ping_good))
        .route("/ping/perfect", get(ping_perfect))
        .route("/video/inline", post(video_inline))
        .route("/slow", get(slow))
        .route("/lock", get(lock))
        .route("/report/{id}", get(report))
        .route("/stream", get(stream))
        .route("/export", get(export))
        .route("/stuck", get(stuck))
}

/// Awaits for 2 ms, as most handlers do while a database answers.
async fn user() -> &'static str {
    tokio::time::sleep(Duration::from_millis(2)).await;
    "user"
}

/// Blocks its worker.
async fn ping_terrible() -> &'static str {
    std::thread::sleep(PING);
    "pong"
}

/// Blocks a thread of the blocking pool, which exists for such calls.
async fn ping_good() -> &'static str {
    drop(spawn_blocking(|| std::thread::sleep(PING)).await);
    "pong"
}

/// Blocks nothing.
async fn ping_perfect() -> &'static str {
    tokio::time::sleep(PING).await;
    "pong"
}

/// Computes on the worker.
async fn video_inline() -> String {
    let started = Instant::now();
    let mut frames = 0_u64;
    while started.elapsed() < Duration::from_millis(120) {
        for _ in 0..10_000 {
            frames = black_box(frames.wrapping_mul(31).wrapping_add(7));
        }
    }
    frames.to_string()
}

/// Occupies a thread of the pool for two seconds; a hundred requests at once fill the pool.
async fn slow() -> &'static str {
    drop(spawn_blocking(|| std::thread::sleep(Duration::from_secs(2))).await);
    "slow"
}

/// Waits for a lock that a pool task holds during slow work.
async fn lock() -> String {
    static CACHE: Mutex<u64> = Mutex::new(0);
    // The pool task takes the lock first.
    let holder = spawn_blocking(|| {
        let mut cache = CACHE
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        std::thread::sleep(Duration::from_millis(80));
        *cache += 1;
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    let seen = *CACHE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    drop(holder.await);
    seen.to_string()
}

/// Takes two seconds and blocks nothing.
async fn report() -> &'static str {
    tokio::time::sleep(Duration::from_secs(2)).await;
    "report"
}

/// Blocks its thread, but tokio first moves the worker's other tasks to another thread.
async fn export() -> &'static str {
    tower_runtime_health::block_in_place(|| std::thread::sleep(Duration::from_millis(5)));
    "exported"
}

/// Blocks its worker for 12 seconds, as a synchronous remote call does until its timeout.
async fn stuck() -> &'static str {
    std::thread::sleep(Duration::from_secs(12));
    "at last"
}

/// Streams ten thousand frames, with a short poll for each.
async fn stream() -> Body {
    let frames = futures_util::stream::iter(
        (0..10_000)
            .map(|i| Ok::<_, Infallible>(http_body::Frame::data(Bytes::from(format!("{i}\n"))))),
    );
    Body::new(StreamBody::new(frames))
}
