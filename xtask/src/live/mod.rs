//! Tests the dashboards and alerts on live data: demos, one of them faulty, with
//! a real Prometheus and a real Alertmanager.
//!
//! | file | what |
//! |---|---|
//! | `process` | child processes that never outlive this one |
//! | `stack` | Prometheus and Alertmanager with shortened windows |
//! | `webhook` | receives the notifications of Alertmanager |
//! | `queries` | the queries that Grafana would run |
//! | `verdict` | which alerts must fire and which must not |

mod process;
mod queries;
mod stack;
mod verdict;
mod webhook;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Result;
use process::Demo;
use queries::{Api, Query, Source, interpolate};
use stack::{Job, Stack, shortened};
use verdict::Alerts;
#[cfg(test)]
pub use verdict::has_section;
use webhook::Webhook;

/// Time limit from the first scrape to the last answer.
const LIMIT: Duration = Duration::from_secs(180);

pub struct Options {
    /// The executable of the demo.
    pub demo: PathBuf,
    /// The same, built with tokio_unstable.
    pub unstable: PathBuf,
    /// Directory for the files of the run.
    pub dir: PathBuf,
    /// Keep everything running until Ctrl-C.
    pub keep: bool,
}

/// Job names, as an online shop might have them.
pub const HEALTHY: &str = "catalogue";
pub const FAULTY: &str = "checkout";
const UNSTABLE: &str = "preview";

pub fn run(options: &Options) -> Result<()> {
    let dir = options.dir.as_path();
    let start = |program: &PathBuf, traffic, name| Demo::start(program, traffic, name, dir);
    let mut demos = [
        start(&options.demo, "healthy", "healthy-1")?,
        start(&options.demo, "healthy", "healthy-2")?,
        start(&options.demo, "faulty", "faulty")?,
        start(&options.unstable, "healthy", "unstable")?,
    ];
    let addresses: Vec<_> = demos.iter().map(|demo| demo.metrics.to_string()).collect();
    let job = |name, labels, targets: &[String]| Job {
        name,
        labels,
        targets: targets.to_vec(),
    };
    // The labels cluster and namespace are optional, so some jobs lack them.
    let jobs = [
        job(HEALTHY, json!({}), &addresses[..2]),
        job(
            FAULTY,
            json!({"cluster": "eu-1", "namespace": "shop"}),
            &addresses[2..3],
        ),
        job(UNSTABLE, json!({"cluster": "eu-1"}), &addresses[3..]),
    ];
    let webhook = Webhook::start()?;
    let mut stack = Stack::start(dir, &webhook.url, &jobs)?;
    let url = stack.url.clone();
    println!("prometheus {url}");

    let target = |source: Source| match source {
        Source::Healthy => (HEALTHY, addresses[0].as_str()),
        Source::Faulty => (FAULTY, addresses[2].as_str()),
        Source::Unstable => (UNSTABLE, addresses[3].as_str()),
    };
    let config = shortened();
    let mut unanswered = queries::all(&config);
    let mut unlisted = queries::variables(&config);
    let (query_count, variable_count) = (unanswered.len(), unlisted.len());
    let mut alerts = Alerts::default();
    let api = Api(&url);
    let started = Instant::now();
    loop {
        stack.check()?;
        demos.iter_mut().try_for_each(Demo::check)?;
        alerts.receive(&webhook)?;
        retain(&mut unanswered, |query: &Query| {
            let one = interpolate(&query.expr, Some(target(query.source)));
            let all = interpolate(&query.expr, None);
            Ok(!(api.has_data(&one)? && api.has_data(&all)?))
        })?;
        retain(&mut unlisted, |(_, selector, label)| {
            Ok(api.label_values(&interpolate(selector, None), label)? == 0)
        })?;
        if unanswered.is_empty() && unlisted.is_empty() && alerts.missing().is_empty() {
            break;
        }
        if started.elapsed() > LIMIT {
            return Err(report(&unanswered, &unlisted, &alerts).into());
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    println!(
        "{query_count} queries and {variable_count} variables have data after {} s",
        started.elapsed().as_secs()
    );
    alerts.receive(&webhook)?;
    alerts.print();
    alerts.none_for_healthy(&api)?;
    if options.keep {
        println!("Prometheus keeps running at {url}; stop it with Ctrl-C");
        loop {
            stack.check()?;
            std::thread::sleep(Duration::from_secs(1));
        }
    }
    Ok(())
}

/// `Vec::retain` with a fallible predicate.
fn retain<T>(items: &mut Vec<T>, keep: impl Fn(&T) -> Result<bool>) -> Result<()> {
    let mut error = None;
    items.retain(|item| match keep(item) {
        Ok(keep) => keep,
        Err(e) => {
            error = Some(e);
            true
        }
    });
    error.map_or(Ok(()), Err)
}

fn report(unanswered: &[Query], unlisted: &[(String, String, String)], alerts: &Alerts) -> String {
    let mut lines = vec![format!("after {} s:", LIMIT.as_secs())];
    for query in unanswered {
        lines.push(format!(
            "no data for {:?}: {}\n    {}",
            query.source, query.place, query.expr
        ));
    }
    for (place, _, _) in unlisted {
        lines.push(format!("no values: {place}"));
    }
    alerts.print();
    for name in alerts.missing() {
        lines.push(format!("did not fire: {name}"));
    }
    lines.join("\n")
}
