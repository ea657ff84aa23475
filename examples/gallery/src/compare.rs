//! A comparison: a hundred requests at once to another service that takes a second, on a pool
//! of forty threads and awaited. All figures but the wall time come from the exported metrics.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::driver::{Driver, sum};
use crate::run::Error;
use crate::scrape::{Sample, scrape};
use crate::service::POOL;
use crate::table::{Row, row};

const REQUESTS: usize = 100;
const TICK: Duration = Duration::from_millis(20);
/// Requests that end within this time count as one step.
const STEP: Duration = Duration::from_millis(250);
const DEADLINE: Duration = Duration::from_secs(200);

/// Runs both forms and prints their figures.
pub async fn run(driver: &Driver, metrics: SocketAddr, work: Duration) -> Result<(), Error> {
    let work = work.as_secs_f64();
    println!(
        "{REQUESTS} requests at once to a service that takes {work:.1} s; figures from the metrics:"
    );
    let pool = format!("on a pool of {POOL} threads");
    for (id, how) in [("14-pool", &*pool), ("14-async", "with an async client")] {
        let row = row(id).ok_or("no such row")?;
        let watch = std::thread::Builder::new()
            .name("gallery-watch".into())
            .spawn(move || watch(metrics, row))?;
        let outcome = driver.try_with(row, REQUESTS).await;
        let outcome = outcome.ok_or("the driver has ended")?;
        let progress = watch.join().map_err(|_| "the scraping thread panicked")??;

        println!("\n{how}: {} {}", row.method, row.route);
        for (after, ended) in &progress.steps {
            println!("  {ended:>3} had ended after {:.1} s", after.as_secs_f64());
        }
        let new = |name| {
            sum(&progress.after, name, &[("route", row.route)])
                - sum(&progress.before, name, &[("route", row.route)])
        };
        let mean = new("request_duration_seconds_sum") / new("request_duration_seconds_count");
        println!("  mean request time {mean:.2} s");
        let waits = new("blocking_queue_wait_seconds_count");
        if waits > 0.0 {
            let mean = new("blocking_queue_wait_seconds_sum") / waits;
            println!("  mean wait for a pool thread {mean:.2} s");
        }
        println!(
            "  wall time of all: {:.2} s",
            outcome.requests.wall_ms / 1e3
        );
    }
    Ok(())
}

struct Progress {
    before: Vec<Sample>,
    after: Vec<Sample>,
    /// The time since the first request began, and how many had ended.
    steps: Vec<(Duration, u64)>,
}

/// Scrapes the metrics until all requests have ended.
fn watch(metrics: SocketAddr, row: &Row) -> std::io::Result<Progress> {
    let of_route = |page: &[Sample], name| sum(page, name, &[("route", row.route)]) as u64;
    let before = scrape(metrics)?;
    let ended_before = of_route(&before, "requests_total");
    let waiting_since = Instant::now();
    let mut began = None;
    let mut steps: Vec<(Duration, u64)> = Vec::new();
    loop {
        let page = scrape(metrics)?;
        let now = Instant::now();
        let ended = of_route(&page, "requests_total") - ended_before;
        if began.is_none() && of_route(&page, "requests_in_flight") > 0 {
            began = Some(now);
        }
        let after = now - began.unwrap_or(now);
        match steps.last_mut() {
            Some((_, last)) if *last == ended => {}
            Some((at, last)) if after - *at < STEP => *last = ended,
            _ if ended > 0 => steps.push((after, ended)),
            _ => {}
        }
        if ended >= REQUESTS as u64 || waiting_since.elapsed() > DEADLINE {
            let after = page;
            return Ok(Progress {
                before,
                after,
                steps,
            });
        }
        std::thread::sleep(TICK);
    }
}
