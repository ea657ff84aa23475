//! Row 7, and other ways to use the CPU.

use std::hint::{black_box, spin_loop};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use axum::routing::{get, post};

use crate::case::{At, BLOCK, Case, Corpus, FINE, Watch, aside, real_await};

const CPU: &[&str] = &["cpu"];

/// How long the cases compute. On two CPUs, one of them busy, the thread that logs the finding may
/// have to wait for the other one.
const WORK: Duration = Duration::from_millis(2 * BLOCK.as_millis() as u64);

pub(crate) fn add(corpus: &mut Corpus) {
    corpus.add(
        Case::computes("7 computation", "/video/inline", CPU, &ENCODE).post(),
        post(video),
    );
    corpus.add(
        Case::computes("spinning", "/cpu/spin", CPU, &SPIN),
        get(spin),
    );
    corpus.add(
        Case::computes("deep recursion", "/cpu/deep", CPU, &LEAF),
        get(recursion),
    );
    corpus.add(
        Case::computes(
            "dropping ten million boxes",
            "/cpu/drop",
            &["cpu", "memory"],
            &DROP,
        ),
        get(dropping),
    );
}

static ENCODE: At = at!("encode");

async fn video() -> String {
    real_await().await;
    let watch = Watch::start();
    let encoded = encode(black_box(7));
    black_box(encoded);
    watch.end(BLOCK, FINE)
}

#[inline(never)]
fn encode(mut state: u64) -> u64 {
    let started = Instant::now();
    from_here!(ENCODE);
    while started.elapsed() < WORK {
        for _ in 0..1000 {
            state = black_box(state.wrapping_mul(6_364_136_223_846_793_005) ^ (state >> 29));
        }
    }
    to_here!(ENCODE);
    state
}

static SPIN: At = at!("spin");

async fn spin() -> String {
    real_await().await;
    let watch = Watch::start();
    let started = Instant::now();
    from_here!(SPIN);
    while started.elapsed() < WORK {
        spin_loop();
    }
    to_here!(SPIN);
    watch.end(BLOCK, FINE)
}

static LEAF: At = at!("leaf");

async fn recursion() -> String {
    real_await().await;
    let watch = Watch::start();
    black_box(descend(black_box(200)));
    watch.end(BLOCK, FINE)
}

#[inline(never)]
fn descend(depth: u64) -> u64 {
    if depth == 0 {
        return leaf(depth);
    }
    let below = descend(black_box(depth - 1));
    black_box(below) + depth
}

#[inline(never)]
fn leaf(mut state: u64) -> u64 {
    let started = Instant::now();
    from_here!(LEAF);
    while started.elapsed() < WORK {
        state = black_box(state.wrapping_add(1));
    }
    to_here!(LEAF);
    state
}

const BOXES: usize = 10_000_000;

static DROP: At = at!("dropping");

async fn dropping() -> String {
    let (tell, told) = tokio::sync::oneshot::channel();
    aside(move || {
        let boxes: Vec<Box<usize>> = (0..BOXES).map(Box::new).collect();
        tell.send(boxes).map_err(drop)
    });
    let boxes = told.await.unwrap();
    static LAST: OnceLock<usize> = OnceLock::new();
    LAST.get_or_init(|| boxes.len());
    let watch = Watch::start();
    here!(DROP, drop(boxes));
    watch.end(BLOCK / 2, FINE)
}
