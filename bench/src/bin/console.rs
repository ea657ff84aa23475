//! What tokio-console's subscriber makes of a poll, beside us. It watches tokio's
//! tasks, so what is polled is a task; it needs tokio's unstable parts:
//!
//!   RUSTFLAGS="--cfg tokio_unstable" cargo run --release --features console --bin console

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use tower::{Layer, Service, service_fn};
use tower_runtime_health_bench::check::health;
use tower_runtime_health_bench::child::{self, Child};
use tower_runtime_health_bench::table::Spread;
use tracing_subscriber::layer::SubscriberExt;

const POLLS: u64 = 20_000;
const ROUNDS: usize = 41;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("bare") => serve(task, false),
        Some("ours") => serve(our_task, false),
        Some("console") => serve(task, true),
        _ => compete(),
    }
}

fn compete() {
    let keys = ["bare", "ours", "console", "bare"];
    let mut contenders = keys.map(|key| (Child::of_this(&[key]), Vec::new()));
    for round in 0..ROUNDS {
        for at in 0..keys.len() {
            let (child, samples) = &mut contenders[(round + at) % keys.len()];
            samples.push(child.ask("").parse::<f64>().expect("a number"));
        }
    }
    println!(
        "## A poll of a task, beside tokio-console\n\n{ROUNDS} rounds of a task that wakes itself {POLLS} \
         times, on a runtime with one thread; nobody is connected to the console. Built with \
         `tokio_unstable`.\n\n| contender | median ns a poll | quartiles | own ns |\n|---|---:|---:|---:|"
    );
    let names = [
        "bare",
        "our layer",
        "console-subscriber",
        "bare, again (A/A)",
    ];
    let bare = Spread::of(&contenders[0].1).median;
    for (name, (_, samples)) in names.iter().zip(&contenders) {
        let Spread { low, median, high } = Spread::of(samples);
        println!(
            "| {name} | {median:.1} | {low:.1} .. {high:.1} | {:.1} |",
            median - bare
        );
    }
    println!();
    contenders.into_iter().for_each(|(child, _)| child.end());
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

fn serve(make: fn() -> Task, console: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let _inside = runtime.enter();
    if console {
        // With its aggregator and server, on a thread of its own.
        let layer = console_subscriber::ConsoleLayer::builder()
            .server_addr(([127, 0, 0, 1], 0))
            .spawn();
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::set_global_default(subscriber).expect("there is no other");
    }
    child::answer(|_| {
        let start = Instant::now();
        runtime
            .block_on(tokio::spawn(make()))
            .expect("it does not panic");
        (start.elapsed().as_nanos() as f64 / POLLS as f64).to_string()
    });
}

/// Wakes itself so many times.
struct Woken(u64);

impl Future for Woken {
    type Output = Result<Response<Empty<Bytes>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.0 == 0 {
            return Poll::Ready(Ok(Response::new(Empty::new())));
        }
        self.0 -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

fn task() -> Task {
    Box::pin(async { drop(Woken(POLLS).await) })
}

fn our_task() -> Task {
    thread_local!(static HEALTH: tower_runtime_health::RuntimeHealth = health(0));
    let layer = HEALTH.with(|health| health.layer());
    let mut service = layer.layer(service_fn(|_: Request<()>| Woken(POLLS)));
    Box::pin(async move { drop(service.call(Request::new(())).await) })
}
