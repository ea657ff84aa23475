//! What the test binaries share: servers on free loopback ports with and without the layer, a
//! blocking client, and the parsed metrics page.
//!
//! Each server has a runtime of its own, which ends with it. A test therefore needs no runtime, and
//! only [`wait_for`] sleeps.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary compiles this module and uses a part of it"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper fails its test by panicking"
)]

mod client;
mod metrics;
mod server;

pub(crate) use client::{Reply, connect, exchange, fire, get, read_to_close};
pub(crate) use metrics::{Metrics, Outcomes, Sample, assert_outcomes, in_flight, scrape, settled};
pub(crate) use server::{Pair, Server, serve_axum, serve_hyper, two_workers};

use std::net::Ipv4Addr;
use std::time::Duration;

/// How long anything may take before its test fails. It is far more than any of it needs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A free port on the loopback interface.
pub(crate) const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// Runs a client on a runtime of its own. Panics after [`DEADLINE`].
///
/// The client's tasks run on a worker thread, so they make progress while the client blocks, for
/// example in [`wait_for`]. They end when this function returns.
#[track_caller]
pub(crate) fn run<T>(client: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    match runtime.block_on(async { tokio::time::timeout(DEADLINE, client).await }) {
        Ok(output) => output,
        Err(_) => panic!("the client did not end within {DEADLINE:?}"),
    }
}

/// Waits until `condition` holds. Panics after `deadline`.
#[track_caller]
pub(crate) fn wait_for(deadline: Duration, mut condition: impl FnMut() -> bool) {
    #[expect(clippy::disallowed_methods, reason = "no figure comes from it")]
    let started = std::time::Instant::now();
    while !condition() {
        assert!(
            started.elapsed() < deadline,
            "the condition did not hold within {deadline:?}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}
