//! Figures of tokio runtimes, and the scheduler lag.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tower_runtime_health::RuntimeHealth;

use crate::isolation::exclusive;
use crate::support::{self, DEADLINE, LOOPBACK, Server, scrape, two_workers, wait_for};

#[test]
fn a_runtime_shows_its_workers_tasks_and_queue() {
    let _exclusive = exclusive();
    let router = Router::new().route("/", get(|| async {}));
    let server = Server::axum(RuntimeHealth::builder(), router);
    let main = [("runtime", "main")];
    let metrics = server.metrics();
    assert_eq!(metrics.value("runtime_health_workers", &main), Some(2.0));
    assert!(metrics.value("runtime_health_alive_tasks", &main).unwrap() >= 1.0);
    assert!(
        metrics
            .value("runtime_health_global_queue_depth", &main)
            .is_some()
    );
    for name in [
        "runtime_health_worker_busy_seconds_total",
        "runtime_health_worker_parks_total",
    ] {
        assert_eq!(metrics.label_values(name, "worker"), ["0", "1"]);
    }
    let before = metrics.sum("runtime_health_worker_busy_seconds_total", &main);
    wait_for(DEADLINE, || {
        assert_eq!(support::get(server.addr(), "/").status, 200);
        server
            .metrics()
            .sum("runtime_health_worker_busy_seconds_total", &main)
            > before
    });
}

#[test]
fn the_lag_grows_while_every_worker_is_stuck() {
    let _exclusive = exclusive();
    let router = Router::new().route(
        "/stuck",
        get(|| async { std::thread::sleep(Duration::from_millis(400)) }),
    );
    let options = RuntimeHealth::builder().scheduler_lag_interval(Duration::from_millis(10));
    let server = Server::axum(options, router);
    let lag = |le: &str| {
        let labels = [("runtime", "main"), ("le", le)];
        server
            .metrics()
            .value("runtime_health_scheduler_lag_seconds_bucket", &labels)
            .unwrap()
    };
    // Each scrape sends a probe, also without requests.
    wait_for(DEADLINE, || lag("+Inf") >= 3.0);
    wait_for(DEADLINE, || {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| support::get(server.addr(), "/stuck"));
            }
        });
        lag("+Inf") - lag("0.1") >= 1.0
    });
}

#[test]
fn each_observed_runtime_is_reported_by_name_until_it_has_shut_down() {
    let _exclusive = exclusive();
    let blue = two_workers().build().unwrap();
    let green = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let health = RuntimeHealth::builder()
        .observe_runtime(blue.handle(), "blue")
        .serve_metrics(LOOPBACK)
        .start()
        .unwrap();
    health.observe_runtime(green.handle(), "green").unwrap();
    let twice = health.observe_runtime(green.handle(), "green").unwrap_err();
    assert!(twice.is_invalid_option());
    assert!(twice.to_string().contains("`green`"), "{twice}");

    let exporter = health.metrics_addr().unwrap();
    let workers =
        |name: &str| scrape(exporter).value("runtime_health_workers", &[("runtime", name)]);
    assert_eq!((workers("blue"), workers("green")), (Some(2.0), Some(1.0)));
    // Each runtime has an outstanding probe. One of the runtimes never polls it.
    drop(green);
    wait_for(DEADLINE, || workers("green").is_none());
    blue.shutdown_background();
    wait_for(DEADLINE, || workers("blue").is_none());
    assert_eq!(
        scrape(exporter).value("runtime_health_longest_stall_seconds", &[]),
        Some(0.0)
    );
}

#[test]
fn the_unstable_figures_exist_exactly_with_tokio_unstable() {
    let _exclusive = exclusive();
    use tower_runtime_health::names::{Available, METRICS};

    let router = Router::new().route("/", get(|| async {}));
    let server = Server::axum(RuntimeHealth::builder(), router);
    assert_eq!(support::get(server.addr(), "/").status, 200);
    let metrics = server.metrics();
    for metric in METRICS
        .iter()
        .filter(|metric| metric.available == Available::TokioUnstable)
    {
        let name = format!("runtime_health_{}", metric.name);
        let shown = metrics.value(&name, &[("runtime", "main")]).is_some();
        assert_eq!(shown, cfg!(tokio_unstable), "{name}");
    }
    let unstable = metrics.label_values("runtime_health_build_info", "tokio_unstable");
    assert_eq!(unstable, [cfg!(tokio_unstable).to_string()]);
}
