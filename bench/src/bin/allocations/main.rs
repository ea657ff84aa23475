//! Counts the allocations of one request, for every middleware: in process, through an
//! axum router, with one poll and one frame.
//!
//!   allocations

#[path = "../../requests/work.rs"]
#[allow(dead_code, reason = "the bench of times uses the rest")]
mod work;

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use tower::Service;
use tower_runtime_health_bench::child::Child;
use tower_runtime_health_bench::contender::Work;
use tower_runtime_health_bench::layers::{Kept, Middleware, Visitor};

const REQUESTS: u64 = 1000;

fn main() {
    if let Some(key) = std::env::args().nth(1) {
        return count(Middleware::by_key(&key).expect("a middleware has that key"));
    }
    println!(
        "## Allocations of a request\n\nIn process, through an axum router; of the calling thread, over \
         {REQUESTS} requests.\n\n| contender | allocations | bytes | allocations beyond bare | bytes \
         |\n|---|---:|---:|---:|---:|"
    );
    let mut bare = None;
    for middleware in Middleware::ALL {
        // Some have process-wide state.
        let mut child = Child::of_this(&[middleware.key()]);
        let answer = child.hear();
        child.end();
        let (count, bytes) = answer.split_once(' ').expect("two numbers");
        let [count, bytes] = [count, bytes].map(|n| n.parse::<f64>().expect("a number"));
        let (bare_count, bare_bytes) = *bare.get_or_insert((count, bytes));
        println!(
            "| {} | {count:.2} | {bytes:.0} | {:.2} | {:.0} |",
            middleware.name(),
            count - bare_count,
            bytes - bare_bytes
        );
    }
    println!();
}

fn count(middleware: Middleware) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let _inside = runtime.enter();
    let (mut work, _kept) = middleware.on(work::router(1, 1), Send);
    // What is allocated once is not counted.
    work(REQUESTS);
    let counted = allocation_counter::measure(|| work(REQUESTS));
    let each = |number: u64| number as f64 / REQUESTS as f64;
    println!(
        "{} {}",
        each(counted.count_total),
        each(counted.bytes_total)
    );
}

struct Send;

impl Visitor for Send {
    type Output = (Work, Kept);

    fn visit<S, B>(self, service: S, kept: Kept) -> (Work, Kept)
    where
        S: Service<
                Request<Body>,
                Response = Response<B>,
                Error = Infallible,
                Future: std::marker::Send + 'static,
            > + Clone
            + std::marker::Send
            + Sync
            + 'static,
        B: http_body::Body<
                Data = Bytes,
                Error: Into<Box<dyn std::error::Error + std::marker::Send + Sync>>,
            > + std::marker::Send
            + 'static,
    {
        (work::send::<S, Body, B>(service), kept)
    }
}
