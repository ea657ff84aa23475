//! Rows 2, 3, 5, 6, 8, 10, 11, 13, 16, 22 and 23, which do not block the executor.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::routing::{get, post};
use futures_util::stream;
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::case::{BLOCK, Case, Corpus, FINE, Watch, real_await};
use crate::network::{Client, SELECT, STARTUP, expect, fetch};
use crate::{files, stub};

pub(crate) fn add(corpus: &mut Corpus) {
    let new = Case::innocent;
    corpus.add(
        new("2 sleep in spawn_blocking", "/ping/good"),
        get(ping_good),
    );
    corpus.add(
        new("3 tokio::time::sleep", "/ping/perfect"),
        get(ping_perfect),
    );
    corpus.add(new("5 async HTTP client", "/users/async/{id}"), get(user));
    corpus.add(
        new("6 sync client in spawn_blocking", "/users/pool/{id}"),
        get(user_pool),
    );
    corpus.add(new("8 job on a queue", "/video/queued").post(), post(queue));
    corpus.add(new("8 state of a job", "/jobs/{id}"), get(job));
    corpus.add(
        new("10 async PostgreSQL client", "/posts/async"),
        get(posts),
    );
    corpus.add(
        new("11 sync PostgreSQL in spawn_blocking", "/posts/pool"),
        get(posts_pool),
    );
    corpus.add(
        new("13 tokio::fs on a slow file", "/file/async/{name}")
            .needs(files::make_fifo(&files::fifo())),
        get(file),
    );
    corpus.add(new("16 token decoded inline", "/me/inline"), get(me_inline));
    corpus.add(
        new("16 token decoded in the pool", "/me/pool"),
        get(me_pool),
    );
    corpus.add(
        new("22 long await, many short polls", "/await/long"),
        get(long),
    );
    corpus.add(new("23 ten thousand small frames", "/stream"), get(frames));
}

async fn ping_good() -> String {
    let watch = Watch::start();
    spawn_blocking(|| std::thread::sleep(BLOCK)).await.unwrap();
    watch.end(BLOCK, FINE)
}

async fn ping_perfect() -> String {
    let watch = Watch::start();
    tokio::time::sleep(BLOCK).await;
    watch.end(BLOCK, FINE)
}

async fn user() -> String {
    let get = async {
        let mut stream = TcpStream::connect(stub::http()).await?;
        stream
            .write_all(b"GET /users/1 HTTP/1.1\r\nconnection: close\r\n\r\n")
            .await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer.ends_with("hello"))
    };
    let watch = Watch::start();
    watch.end(BLOCK, expect(get.await, &true))
}

async fn user_pool() -> String {
    let watch = Watch::start();
    let result = spawn_blocking(|| fetch(stub::http())).await.unwrap();
    watch.end(BLOCK, expect(result, &"hello".to_owned()))
}

static JOBS: Mutex<Option<HashMap<u64, bool>>> = Mutex::new(None);
static LAST_JOB: AtomicU64 = AtomicU64::new(0);

/// The queue of jobs, which a thread outside of the runtime runs one after the other.
fn jobs() -> &'static mpsc::Sender<u64> {
    static QUEUE: OnceLock<mpsc::Sender<u64>> = OnceLock::new();
    QUEUE.get_or_init(|| {
        let (queue, mut jobs) = mpsc::channel(1000);
        crate::case::aside(move || {
            while let Some(job) = jobs.blocking_recv() {
                std::thread::sleep(Duration::from_millis(5));
                JOBS.lock()
                    .unwrap()
                    .get_or_insert_default()
                    .insert(job, true);
            }
        });
        queue
    })
}

async fn queue() -> (StatusCode, String) {
    let job = LAST_JOB.fetch_add(1, Ordering::Relaxed);
    JOBS.lock()
        .unwrap()
        .get_or_insert_default()
        .insert(job, false);
    match jobs().send(job).await {
        Ok(()) => (StatusCode::ACCEPTED, format!("ok, job {job}")),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

async fn job(Path(_): Path<String>) -> String {
    real_await().await;
    let last = LAST_JOB.load(Ordering::Relaxed).saturating_sub(1);
    let state = JOBS
        .lock()
        .unwrap()
        .as_ref()
        .and_then(|jobs| jobs.get(&last).copied());
    format!("ok, {state:?}")
}

async fn posts() -> String {
    let select = async {
        let mut stream = TcpStream::connect(stub::postgres()).await?;
        stream.write_all(STARTUP).await?;
        // The answer to the start-up message, and that to a query.
        stream.read_exact(&mut [0; 15]).await?;
        stream.write_all(SELECT).await?;
        stream.read_exact(&mut [0; 20]).await
    };
    let watch = Watch::start();
    watch.end(BLOCK, expect(select.await, &20))
}

async fn posts_pool() -> String {
    let watch = Watch::start();
    let select = || Client::connect(stub::postgres())?.query();
    let result = spawn_blocking(select).await.unwrap();
    watch.end(BLOCK, expect(result, &1))
}

async fn file() -> String {
    files::write_late(files::fifo());
    let watch = Watch::start();
    let result = tokio::fs::read_to_string(files::fifo()).await;
    watch.end_by_other(expect(result, &"late".to_owned()))
}

/// About a microsecond of work.
fn decode(token: &str) -> u64 {
    token
        .bytes()
        .fold(5381, |hash, byte| hash.wrapping_mul(33) ^ u64::from(byte))
}

const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N";

async fn me_inline() -> String {
    real_await().await;
    format!("ok, {}", decode(TOKEN))
}

async fn me_pool() -> String {
    let decoded = spawn_blocking(|| decode(TOKEN)).await.unwrap();
    format!("ok, {decoded}")
}

async fn long() -> String {
    let watch = Watch::start();
    for _ in 0..25 {
        tokio::time::sleep(Duration::from_millis(8)).await;
        decode(TOKEN);
    }
    watch.end(Duration::from_millis(200), FINE)
}

async fn frames() -> Body {
    const FRAMES: u32 = 10_000;
    Body::from_stream(stream::unfold(0, async |frame| {
        if frame % 100 == 0 {
            tokio::task::yield_now().await;
        }
        let data = Bytes::from_static(b"ok");
        (frame < FRAMES).then_some((Ok::<_, std::io::Error>(data), frame + 1))
    }))
}
