//! Row 20: handlers that block inside `block_in_place`, which hands the worker's tasks over.

use std::thread::sleep;

use axum::routing::get;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::case::{At, BLOCK, Case, Corpus, FINE, Watch, real_await};

pub(crate) fn add(corpus: &mut Corpus) {
    corpus.add(
        Case::in_place("20 block_in_place", "/in-place/sleep", &SLEEP),
        get(sleeping),
    );
    corpus.add(
        Case::in_place(
            "block_on inside block_in_place",
            "/in-place/block-on",
            &BLOCK_ON,
        ),
        get(blocking_on),
    );
}

static SLEEP: At = at!("sleeping");

async fn sleeping() -> String {
    real_await().await;
    let watch = Watch::start();
    block_in_place(|| here!(SLEEP, sleep(BLOCK)));
    watch.end(BLOCK, FINE)
}

static BLOCK_ON: At = at!("blocking_on");

async fn blocking_on() -> String {
    real_await().await;
    let watch = Watch::start();
    let handle = Handle::current();
    block_in_place(|| here!(BLOCK_ON, handle.block_on(tokio::time::sleep(BLOCK))));
    watch.end(BLOCK, FINE)
}
