//! Reads the layer's findings and its metrics page, as Prometheus does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use tower_runtime_health::{Finding, PoolFinding};

use super::Target;
use crate::scrape::{Sample, scrape};
use crate::table::Row;

const TICK: Duration = Duration::from_millis(25);

/// Everything the layer has reported so far.
pub struct Observed {
    pub at: SystemTime,
    pub findings: Vec<Finding>,
    pub pool_findings: Vec<PoolFinding>,
    pub page: Vec<Sample>,
}

impl Observed {
    pub fn now(target: &Target) -> Self {
        let health = &target.health;
        let page = health.metrics_addr().map(scrape);
        Self {
            at: SystemTime::now(),
            findings: health.findings(),
            pool_findings: health.pool_findings(),
            page: page.and_then(Result::ok).unwrap_or_default(),
        }
    }

    /// Returns the sum of a metric's samples that have these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        sum(&self.page, name, labels)
    }
}

pub fn sum(page: &[Sample], name: &str, labels: &[(&str, &str)]) -> f64 {
    let fits = |sample: &&Sample| {
        sample.name == name
            && labels
                .iter()
                .all(|(label, value)| sample.label(label) == *value)
    };
    page.iter().filter(fits).map(|sample| sample.value).sum()
}

/// The peaks of the gauges while a row was tried.
#[derive(Default)]
pub struct Peaks {
    /// Wrapped pool tasks of the row's route.
    pub running: u64,
    pub queued: u64,
    /// Busy threads of the pool; `None` where the number is unknown.
    pub busy: Option<u64>,
    /// The number of samples with a busy thread, and of all samples.
    pub busy_samples: usize,
    pub samples: usize,
}

/// A thread that scrapes the metrics page until it is told to stop.
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Peaks>>,
}

impl Watch {
    pub fn start(target: &Target, row: &'static Row) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let metrics = target.health.metrics_addr();
        let thread = std::thread::Builder::new()
            .name("gallery-watch".into())
            .spawn(move || {
                let mut peaks = Peaks::default();
                while let (Some(metrics), false) = (metrics, stopped.load(Ordering::Relaxed)) {
                    peaks.sample(metrics, row.route);
                    std::thread::sleep(TICK);
                }
                peaks
            });
        let thread = thread.ok();
        Self { stop, thread }
    }

    pub fn finish(self) -> Peaks {
        self.stop.store(true, Ordering::Relaxed);
        let peaks = self.thread.map(JoinHandle::join);
        peaks.and_then(Result::ok).unwrap_or_default()
    }
}

impl Peaks {
    fn sample(&mut self, metrics: SocketAddr, route: &str) {
        let Ok(page) = scrape(metrics) else { return };
        let tasks = |state| {
            sum(
                &page,
                "blocking_tasks",
                &[("route", route), ("state", state)],
            )
        };
        self.running = self.running.max(tasks("running") as u64);
        self.queued = self.queued.max(tasks("queued") as u64);
        let gauge = |name: &str| page.iter().find(|sample| sample.name == name);
        let threads = gauge("blocking_threads").map(|sample| sample.value);
        let idle = gauge("blocking_threads_idle").map(|sample| sample.value);
        self.samples += 1;
        if let (Some(threads), Some(idle)) = (threads, idle) {
            let busy = (threads - idle).max(0.0) as u64;
            self.busy = self.busy.max(Some(busy));
            self.busy_samples += usize::from(busy > 0);
        }
    }
}

/// Waits until the layer has reported all of this row: none of its polls is running, and no
/// finding has changed for a while.
pub async fn settled(target: &Target, row: &Row) -> Observed {
    const QUIET: Duration = Duration::from_millis(150);
    const DEADLINE: Duration = Duration::from_secs(5);
    let counts = || -> (u64, u64) {
        let findings = target.health.findings();
        let here = || {
            findings
                .iter()
                .filter(|finding| &*finding.route == row.route)
        };
        (
            here().map(|finding| finding.running).sum(),
            here().map(|finding| finding.polls).sum(),
        )
    };
    let deadline = Instant::now() + DEADLINE;
    let mut last = counts();
    let mut since = Instant::now();
    while (last.0 > 0 || since.elapsed() < QUIET) && Instant::now() < deadline {
        tokio::time::sleep(TICK).await;
        let now = counts();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    Observed::now(target)
}
