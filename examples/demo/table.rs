//! Turns scrapes into a progress line and a table.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use tower_runtime_health::{Finding, PoolFinding};

use crate::scrape::{Sample, scrape};

/// Keeps the last scrape, and the peaks of gauges over all scrapes.
pub struct Observer {
    metrics: SocketAddr,
    scraped: Mutex<Scraped>,
}

#[derive(Default)]
struct Scraped {
    scrapes: usize,
    last: Vec<Sample>,
    /// Peaks of `blocking_tasks` by route and state.
    tasks: BTreeMap<(String, String), f64>,
    longest_stall: f64,
}

impl Observer {
    pub fn new(metrics: SocketAddr) -> Self {
        Self {
            metrics,
            scraped: Mutex::default(),
        }
    }

    fn scraped(&self) -> std::sync::MutexGuard<'_, Scraped> {
        self.scraped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn scrape(&self) {
        let Ok(samples) = scrape(self.metrics) else {
            return;
        };
        let mut scraped = self.scraped();
        scraped.scrapes += 1;
        for sample in &samples {
            match sample.name.as_str() {
                "blocking_tasks" => {
                    let key = (
                        sample.label("route").to_owned(),
                        sample.label("state").to_owned(),
                    );
                    let peak = scraped.tasks.entry(key).or_default();
                    *peak = peak.max(sample.value);
                }
                "longest_stall_seconds" => {
                    scraped.longest_stall = scraped.longest_stall.max(sample.value)
                }
                _ => {}
            }
        }
        scraped.last = samples;
    }

    pub fn scrapes(&self) -> usize {
        self.scraped().scrapes
    }

    pub fn progress(&self) -> String {
        let scraped = self.scraped();
        let sum = |name: &str| total(&scraped.last, |sample| sample.name == name);
        let tasks = |state: &str| {
            total(&scraped.last, |s| {
                s.name == "blocking_tasks" && s.label("state") == state
            })
        };
        format!(
            "{:.0} requests, {:.0} in flight, {:.0} stalled polls, {:.0} blocking polls, pool: {:.0} running, {:.0} queued",
            sum("requests_total"),
            sum("requests_in_flight"),
            sum("stalled_polls"),
            sum("blocking_polls_total"),
            tasks("running"),
            tasks("queued"),
        )
    }

    /// Returns the table, the findings and the findings on the pool.
    pub fn table(&self, findings: &[Finding], pool_findings: &[PoolFinding]) -> String {
        let scraped = self.scraped();
        let mut out = String::new();
        let _ = writeln!(
            out,
            "\n{:<16} {:>8} {:>9} {:>9} {:>9} {:>8} {:>8} {:>9} {:>9} {:>13}",
            "route",
            "requests",
            "poll p50",
            "poll p99",
            "poll max",
            "blocking",
            "seconds",
            "delay p99",
            "delay max",
            "pool peak",
        );
        let _ = writeln!(
            out,
            "{:<16} {:>8} {:>9} {:>9} {:>9} {:>8} {:>8} {:>9} {:>9} {:>13}",
            "", "", "", "", "", "polls", "blocked", "", "", "run + queued",
        );
        let mut routes: Vec<_> = scraped
            .last
            .iter()
            .filter(|s| s.name == "requests_in_flight")
            .map(|s| s.label("route"))
            .collect();
        routes.sort_by_key(|route| route.to_owned());
        for route in routes {
            scraped.row(&mut out, route, findings);
        }
        let _ = writeln!(
            out,
            "\nPoll times and delays are upper bounds of histogram buckets; the poll max of a route that blocks is exact.\n\
             delay: the time from waking a request's task to polling it. A blocking handler delays the other routes.\n\
             Longest stall in any scrape: {}. Time a ready task waited for a worker: p50 {}, p99 {}.",
            time(scraped.longest_stall),
            scraped.quantile("scheduler_lag_seconds", ("runtime", "main"), 0.5),
            scraped.quantile("scheduler_lag_seconds", ("runtime", "main"), 0.99),
        );
        let texts = findings.iter().map(ToString::to_string);
        for text in texts.chain(pool_findings.iter().map(ToString::to_string)) {
            let _ = writeln!(out, "\n{text}");
        }
        out
    }
}

impl Scraped {
    fn row(&self, out: &mut String, route: &str, findings: &[Finding]) {
        let of_route =
            |name: &str| total(&self.last, |s| s.name == name && s.label("route") == route);
        let longest = findings
            .iter()
            .filter(|finding| &*finding.route == route)
            .map(|finding| finding.longest.as_secs_f64())
            .fold(0.0, f64::max);
        let max = if longest > 0.0 {
            time(longest)
        } else {
            self.quantile("poll_duration_seconds", ("route", route), 1.0)
        };
        let peak = |state: &str| {
            let peak = self.tasks.get(&(route.to_owned(), state.to_owned()));
            peak.map(|peak| format!("{peak:.0}"))
        };
        let pool = match (peak("running"), peak("queued")) {
            (Some(running), Some(queued)) => format!("{running} + {queued}"),
            _ => "-".to_owned(),
        };
        let _ = writeln!(
            out,
            "{route:<16} {:>8} {:>9} {:>9} {max:>9} {:>8} {:>8.2} {:>9} {:>9} {pool:>13}",
            of_route("requests_total"),
            self.quantile("poll_duration_seconds", ("route", route), 0.5),
            self.quantile("poll_duration_seconds", ("route", route), 0.99),
            of_route("blocking_polls_total"),
            of_route("blocking_seconds_total"),
            self.quantile("schedule_delay_seconds", ("route", route), 0.99),
            self.quantile("schedule_delay_seconds", ("route", route), 1.0),
        );
    }

    /// Returns the upper bound of the bucket that contains the quantile.
    fn quantile(&self, name: &str, label: (&str, &str), q: f64) -> String {
        let bucket = format!("{name}_bucket");
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        for sample in &self.last {
            if sample.name == bucket && sample.label(label.0) == label.1 {
                let bound = sample.label("le").parse().unwrap_or(f64::INFINITY);
                match buckets.iter_mut().find(|(known, _)| *known == bound) {
                    Some((_, count)) => *count += sample.value,
                    None => buckets.push((bound, sample.value)),
                }
            }
        }
        let Some(total) = buckets
            .last()
            .map(|(_, count)| *count)
            .filter(|count| *count > 0.0)
        else {
            return "-".to_owned();
        };
        let found = buckets.iter().find(|(_, count)| *count >= q * total);
        found.map_or("-".to_owned(), |(bound, _)| time(*bound))
    }
}

fn total(samples: &[Sample], which: impl Fn(&Sample) -> bool) -> f64 {
    // `sum()` of no floats is -0.
    samples
        .iter()
        .filter(|s| which(s))
        .fold(0.0, |sum, sample| sum + sample.value)
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s.is_infinite() => "> 5 s".to_owned(),
        s if s >= 1.0 => format!("{s:.1} s"),
        s if s >= 0.001 => format!("{:.0} ms", s * 1e3),
        s if s > 0.0 => format!("{:.0} µs", s * 1e6),
        _ => "-".to_owned(),
    }
}
