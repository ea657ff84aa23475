//! Tasks on tokio's blocking pool, by the route that spawned them.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tower_runtime_health::{RuntimeHealth, spawn_blocking};

use crate::gate::Gate;
use crate::isolation::exclusive;
use crate::support::{self, DEADLINE, Metrics, Server, fire, serve_axum, two_workers, wait_for};

const POOL: usize = 2;

fn serve(router: Router) -> Server {
    Server::layered_on(
        two_workers().max_blocking_threads(POOL),
        RuntimeHealth::builder().max_blocking_threads(POOL),
        |listener, layer| serve_axum(listener, router.layer(layer)),
    )
}

/// A route's tasks: queued and running.
fn tasks(metrics: &Metrics, route: &str) -> (f64, f64) {
    let of = |state| {
        let labels = [("route", route), ("state", state)];
        metrics
            .value("runtime_health_blocking_tasks", &labels)
            .unwrap_or(f64::NAN)
    };
    (of("queued"), of("running"))
}

fn count(metrics: &Metrics, name: &str, route: &str) -> f64 {
    metrics
        .value(&format!("runtime_health_{name}_count"), &[("route", route)])
        .unwrap()
}

#[test]
fn a_full_pool_shows_running_and_queued_tasks_and_how_long_they_waited() {
    let _exclusive = exclusive();
    let gate = Gate::default();
    let waiter = gate.clone();
    let router = Router::new()
        .route(
            "/slow/{id}",
            get(move || async move {
                spawn_blocking(move || waiter.wait()).await.unwrap();
                "done"
            }),
        )
        .route("/idle", get(|| async {}));
    let server = serve(router);
    let mut clients: Vec<_> = (0..5)
        .map(|i| fire(&server, &format!("/slow/{i}")))
        .collect();
    wait_for(DEADLINE, || {
        tasks(&server.metrics(), "/slow/{id}") == (3.0, 2.0)
    });
    let metrics = server.metrics();
    let max = metrics.value(
        "runtime_health_blocking_threads_max",
        &[("runtime", "main")],
    );
    assert_eq!(max, Some(POOL as f64));
    assert_eq!(
        count(&metrics, "blocking_queue_wait_seconds", "/slow/{id}"),
        2.0
    );
    assert_eq!(count(&metrics, "blocking_run_seconds", "/slow/{id}"), 0.0);
    #[cfg(tokio_unstable)]
    for (name, value) in [
        ("threads", 2.0),
        ("threads_idle", 0.0),
        ("queue_depth", 3.0),
    ] {
        let name = format!("runtime_health_blocking_{name}");
        let seen = metrics.value(&name, &[("runtime", "main")]);
        assert_eq!(seen, Some(value), "{name}");
    }

    // When a queued task starts, it has waited at least this long.
    let waited = Duration::from_millis(60);
    std::thread::sleep(waited);
    gate.open();
    for client in &mut clients {
        assert!(support::read_to_close(client).ends_with(b"done"));
    }
    wait_for(DEADLINE, || {
        tasks(&server.metrics(), "/slow/{id}") == (0.0, 0.0)
    });
    let metrics = server.metrics();
    for name in ["blocking_queue_wait_seconds", "blocking_run_seconds"] {
        assert_eq!(count(&metrics, name, "/slow/{id}"), 5.0);
    }
    let labels = [("route", "/slow/{id}")];
    let waits = metrics
        .value("runtime_health_blocking_queue_wait_seconds_sum", &labels)
        .unwrap();
    assert!(
        waits >= 3.0 * waited.as_secs_f64(),
        "three tasks waited {waits} s in all"
    );
    // That time was not spent in a poll.
    let blocked = metrics.sum("runtime_health_blocking_seconds_total", &labels);
    assert!(blocked < waits, "{blocked} s blocked");
}

#[test]
fn a_task_that_panics_is_no_longer_running_and_returns_tokios_error() {
    let _exclusive = exclusive();
    let router = Router::new().route(
        "/panics",
        get(|| async {
            let error = spawn_blocking(|| panic!("on purpose")).await.unwrap_err();
            assert!(error.is_panic());
            "caught"
        }),
    );
    let server = serve(router);
    assert_eq!(support::get(server.addr(), "/panics").body, "caught");
    let metrics = server.metrics();
    assert_eq!(tasks(&metrics, "/panics"), (0.0, 0.0));
    assert_eq!(count(&metrics, "blocking_run_seconds", "/panics"), 1.0);
}

#[test]
fn a_task_aborted_before_its_start_is_no_longer_queued_and_never_runs() {
    let _exclusive = exclusive();
    let gate = Gate::default();
    let (held, aborted) = (gate.clone(), gate.clone());
    let router = Router::new()
        .route(
            "/hold",
            get(move || async move { spawn_blocking(move || held.wait()).await.unwrap() }),
        )
        .route(
            "/abort",
            get(move || async move {
                let task = spawn_blocking(move || aborted.wait());
                task.abort();
                assert!(task.await.unwrap_err().is_cancelled());
                "aborted"
            }),
        );
    let server = serve(router);
    let holders: Vec<_> = (0..POOL).map(|_| fire(&server, "/hold")).collect();
    wait_for(DEADLINE, || {
        tasks(&server.metrics(), "/hold") == (0.0, POOL as f64)
    });
    let mut client = fire(&server, "/abort");
    // tokio drops an aborted task when a thread takes it from the queue.
    wait_for(DEADLINE, || {
        tasks(&server.metrics(), "/abort") == (1.0, 0.0)
    });
    gate.open();
    assert!(support::read_to_close(&mut client).ends_with(b"aborted"));
    wait_for(DEADLINE, || {
        tasks(&server.metrics(), "/abort") == (0.0, 0.0)
    });
    let ran = count(&server.metrics(), "blocking_run_seconds", "/abort");
    assert_eq!(ran, 0.0);
    drop(holders);
}

#[test]
fn a_task_spawned_by_a_task_belongs_to_the_same_route() {
    let _exclusive = exclusive();
    let router = Router::new().route(
        "/outer",
        get(|| async {
            let inner = spawn_blocking(|| spawn_blocking(|| "inner")).await.unwrap();
            inner.await.unwrap()
        }),
    );
    let server = serve(router);
    assert_eq!(support::get(server.addr(), "/outer").body, "inner");
    assert_eq!(
        count(&server.metrics(), "blocking_run_seconds", "/outer"),
        2.0
    );
}

#[test]
fn tasks_that_no_request_caused_have_a_route_of_their_own() {
    let _exclusive = exclusive();
    let server = serve(Router::new());
    support::run(async {
        assert_eq!(server.health().spawn_blocking(|| 7).await.unwrap(), 7);
        // Outside of any request, the oldest instance of the process counts the task.
        assert_eq!(spawn_blocking(|| 8).await.unwrap(), 8);
    });
    wait_for(DEADLINE, || {
        count(&server.metrics(), "blocking_run_seconds", "<none>") >= 1.0
    });
    assert_eq!(tasks(&server.metrics(), "<none>"), (0.0, 0.0));
}

#[test]
fn tasks_of_a_runtime_that_shuts_down_are_no_longer_counted() {
    let _exclusive = exclusive();
    let gate = Gate::default();
    let runtime = two_workers()
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let health = RuntimeHealth::builder()
        .observe_runtime(runtime.handle(), "main")
        .serve_metrics(support::LOOPBACK)
        .start()
        .unwrap();
    let exporter = health.metrics_addr().unwrap();
    let tasks_now = || tasks(&support::scrape(exporter), "<none>");
    runtime.block_on(async {
        for _ in 0..4 {
            let gate = gate.clone();
            drop(health.spawn_blocking(move || gate.wait()));
        }
    });
    wait_for(DEADLINE, || tasks_now() == (3.0, 1.0));
    runtime.shutdown_background();
    gate.open();
    wait_for(DEADLINE, || tasks_now() == (0.0, 0.0));
}

#[test]
fn outside_of_a_runtime_spawning_panics_with_tokios_message() {
    let _exclusive = exclusive();
    let message = |panicked: std::thread::Result<()>| {
        let panic = panicked.unwrap_err();
        panic.downcast_ref::<String>().cloned().or_else(|| {
            panic
                .downcast_ref::<&str>()
                .map(|message| (*message).to_owned())
        })
    };
    let theirs = message(std::panic::catch_unwind(|| {
        drop(tokio::task::spawn_blocking(|| ()))
    }));
    let ours = message(std::panic::catch_unwind(|| drop(spawn_blocking(|| ()))));
    assert!(ours.is_some());
    assert_eq!(ours, theirs);
}
