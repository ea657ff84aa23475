//! The whole metrics page. Its figures of the blocking pool depend on what other pools' threads
//! are in the process.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tower_runtime_health::{RuntimeHealth, names};

use crate::isolation::exclusive;
use crate::support::{self, DEADLINE, Metrics, Server, wait_for};

async fn spawns_a_task() {
    tokio::time::sleep(Duration::from_millis(1)).await;
    tower_runtime_health::spawn_blocking(|| ()).await.unwrap();
}

#[test]
fn the_page_has_exactly_the_families_of_the_metrics_table() {
    let _exclusive = exclusive();
    let router = Router::new()
        .route("/users/{id}", get(|| async {}))
        .route("/pool", get(spawns_a_task));
    let options = RuntimeHealth::builder().schedule_delay_sampling(1);
    let server = Server::axum(options, router);
    for path in ["/users/1", "/users/2", "/pool", "/nowhere"] {
        support::get(server.addr(), path);
    }
    support::settled(&server, 4);
    let exporter = server.health().metrics_addr().unwrap();
    // Each scrape sends a probe, whose delay the next scrape shows.
    let page = || support::get(exporter, "/metrics").body;
    wait_for(DEADLINE, || {
        let lag = "runtime_health_scheduler_lag_seconds_count";
        let metrics = Metrics::parse(&page());
        // The idle signature of pool threads is learned a moment after the start.
        let idle = metrics.with("runtime_health_blocking_threads_idle", &[]);
        idle.count() > 0 && metrics.sum(lag, &[]) > 0.0
    });
    let page = page();
    let shown: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE runtime_health_")?.split_once(' '))
        .collect();
    let table: Vec<_> = names::METRICS
        .iter()
        .filter(|metric| {
            cfg!(tokio_unstable) || metric.available != names::Available::TokioUnstable
        })
        .map(|metric| (metric.name, metric.kind.as_str()))
        .collect();
    assert_eq!(shown, table);

    let metrics = Metrics::parse(&page);
    for metric in names::METRICS {
        let suffix = if metric.buckets.is_empty() {
            ""
        } else {
            "_bucket"
        };
        let name = format!("runtime_health_{}{suffix}", metric.name);
        for sample in metrics.with(&name, &[]) {
            let labels: Vec<_> = sample
                .labels
                .iter()
                .map(|(label, _)| label.as_str())
                .collect();
            let expected = [metric.labels, if suffix.is_empty() { &[] } else { &["le"] }].concat();
            assert_eq!(labels, expected, "{name}");
        }
        if let Some(sample) = metrics.with(&name, &[]).next()
            && !metric.buckets.is_empty()
        {
            let bounds = metrics.label_values(&sample.name, "le");
            assert_eq!(bounds.len(), metric.buckets.len() + 1, "{name}");
        }
    }
    let lines = page.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(
        metrics.value("runtime_health_series", &[]),
        Some(lines as f64)
    );
}
