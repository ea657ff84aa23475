use std::convert::Infallible;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, Service, service_fn};
use tower_runtime_health::{RuntimeHealth, RuntimeHealthLayer};
use tower_runtime_health_bench::check::counted;
use tower_runtime_health_bench::threads::{cpu_of, switches_of};

const TICKS: [u64; 3] = [1, 5, 10];
const RATES: [u64; 3] = [0, 1_000, 50_000];
/// How often the load sends the requests that are due.
const STEP: Duration = Duration::from_millis(1);

fn runtime() -> Runtime {
    let builder = &mut Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build();
    runtime.expect("a runtime can be built")
}

/// Measures CPU time at several ticks and rates of polls.
pub fn ticks(seconds: f64) {
    println!(
        "### CPU time of all our threads, in % of one core\n\nOver {seconds} s each; a service in \
         process on one worker, which every millisecond serves the requests that are due.\n\n| tick, ms | no polls | 1,000 polls/s \
         | 50,000 polls/s |\n|---:|---:|---:|---:|"
    );
    for tick in TICKS {
        print!("| {tick} |");
        for rate in RATES {
            print!(" {:.2} |", share(tick, rate, seconds));
        }
        println!();
    }
    println!();
}

fn share(tick: u64, rate: u64, seconds: f64) -> f64 {
    let runtime = runtime();
    let inside = runtime.enter();
    // A tick is half the threshold.
    let health = RuntimeHealth::builder().threshold(Duration::from_millis(2 * tick));
    let health = health.start().expect("valid options");
    let load = runtime.spawn(polls(health.layer(), rate));
    // The work of the start is not measured.
    std::thread::sleep(Duration::from_millis(500).min(Duration::from_secs_f64(seconds)));
    let (before, start) = (cpu_of("health-"), Instant::now());
    let polled = counted(&health, "poll_duration_seconds_count");
    std::thread::sleep(Duration::from_secs_f64(seconds));
    let took = start.elapsed().as_secs_f64();
    let share = (cpu_of("health-") - before) as f64 / 1e7 / took;
    let polled = (counted(&health, "poll_duration_seconds_count") - polled) as f64 / took;
    assert!(
        (polled - rate as f64).abs() <= 0.5 * rate as f64,
        "{polled:.0} polls a second instead of {rate}"
    );
    load.abort();
    drop(inside);
    runtime.shutdown_timeout(Duration::from_secs(1));
    share
}

/// Requests of two polls each, the call and the future's.
async fn polls(layer: RuntimeHealthLayer, rate: u64) {
    async fn answer(_: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
        Ok(Response::new(Full::new(Bytes::new())))
    }
    let mut service = layer.layer(service_fn(answer));
    let start = Instant::now();
    let mut sent = 0;
    let mut steps = tokio::time::interval(STEP);
    loop {
        steps.tick().await;
        let due = (start.elapsed().as_secs_f64() * rate as f64 / 2.0) as u64;
        while sent < due {
            drop(service.call(Request::new(())).await);
            sent += 1;
        }
    }
}

/// Counts the wake-ups of an idle process.
pub fn idle(seconds: u64) {
    let runtime = runtime();
    let _inside = runtime.enter();
    let health = RuntimeHealth::builder().start().expect("valid options");
    let load = runtime.spawn(polls(health.layer(), 1_000));
    std::thread::sleep(Duration::from_millis(300));
    load.abort();
    // The watchdog stops ticking after a fifth of a second, the other threads later.
    std::thread::sleep(Duration::from_secs(3));
    let before = switches_of("health-");
    std::thread::sleep(Duration::from_secs(seconds));
    let switches = switches_of("health-") - before;
    let verdict = if switches == 0 { "met" } else { "**missed**" };
    println!(
        "- context switches of all our threads in {seconds} idle seconds, at most 0: {switches}: {verdict}\n"
    );
}
