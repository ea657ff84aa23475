use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_runtime_health::{RequestHead, RuntimeHealth};
use tower_runtime_health_bench::table::{Figure, Spread, goal, quantile};
use tracing::{Level, Metadata, span};

const THRESHOLD: f64 = 10.0;
const TICK: f64 = 5.0;
const BLOCK: Duration = Duration::from_millis(40);

/// Measures the time from the beginning of a block to its event in the log.
pub fn delays(times: usize) {
    println!(
        "### From the beginning of a block to its event in the log\n\n{times} handlers that block for \
         {} ms, each of a route of its own; threshold {THRESHOLD} ms, tick {TICK} ms. In ms.\n\n| the \
         handler | median | quartiles | p99 |\n|---|---:|---:|---:|",
        BLOCK.as_millis()
    );
    let events = subscribe();
    let found = [("sleeps", sleep as fn()), ("computes", compute)].map(|(what, block)| {
        let delays = measure(times, block, &events);
        let (spread, p99) = (Spread::of(&delays), quantile(delays.clone(), 0.99));
        println!(
            "| {what} | {:.1} | {:.1} .. {:.1} | {p99:.1} |",
            spread.median, spread.low, spread.high
        );
        (what, delays)
    });
    println!();
    for (what, delays) in found {
        let figure = Figure::of(&delays);
        goal(&format!("it {what}: ms, median"), figure, THRESHOLD + TICK);
        let p99 = figure.with(figure, |_, _| quantile(delays.clone(), 0.99));
        goal(&format!("it {what}: ms, p99"), p99, THRESHOLD + 2.0 * TICK);
    }
    println!();
}

fn sleep() {
    std::thread::sleep(BLOCK);
}

fn compute() {
    let start = Instant::now();
    while start.elapsed() < BLOCK {
        std::hint::black_box(start);
    }
}

fn measure(times: usize, block: fn(), events: &Receiver<Instant>) -> Vec<f64> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let _inside = runtime.enter();
    let health = RuntimeHealth::builder()
        .captures_per_second(1000)
        .start()
        .expect("valid options");
    let (began, begins) = channel();
    let handler = move |_: Request<()>| {
        let began = began.clone();
        async move {
            began.send(Instant::now()).expect("the receiver waits");
            block();
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
        }
    };
    // One event a finding and minute: each block has a route of its own.
    let mut service = health.layer().route_by(by_path).layer(service_fn(handler));
    let mut delays = Vec::new();
    for at in 0..times {
        let mut request = Request::new(());
        *request.uri_mut() = format!("/block-{at}").parse().expect("a path");
        // The first one waits until the executable's symbols have been read.
        let response = service.call(request);
        runtime
            .block_on(async { tokio::spawn(response).await })
            .expect("it does not panic")
            .expect("it does not fail");
        let began = begins.recv().expect("it has begun");
        let event = events
            .recv_timeout(Duration::from_secs(10))
            .expect("an event for each block");
        delays.push((event - began).as_secs_f64() * 1000.0);
        // The same block may be logged again, with more than the first time.
        std::thread::sleep(Duration::from_millis(20));
        while events.try_recv().is_ok() {}
    }
    delays
}

fn by_path<'r>(head: RequestHead<'r>) -> Option<Cow<'r, str>> {
    Some(Cow::Borrowed(head.uri().path()))
}

/// Subscribes to our events. The receiver gets the time of each.
fn subscribe() -> Receiver<Instant> {
    let (sender, receiver) = channel();
    tracing::subscriber::set_global_default(Times(sender)).expect("there is no other");
    receiver
}

struct Times(Sender<Instant>);

impl tracing::Subscriber for Times {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "tower_runtime_health" && *metadata.level() == Level::WARN
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        // This fails only when the measurement is over.
        let _ = self.0.send(Instant::now());
    }
}
