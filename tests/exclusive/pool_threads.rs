//! How many threads a blocking pool has and how many of them are idle, on stable tokio, for one
//! runtime and for several.
#![cfg(target_os = "linux")]

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Runtime;
use tower_runtime_health::RuntimeHealth;

use crate::isolation::exclusive;
use crate::support::{DEADLINE, LOOPBACK, Metrics, scrape, two_workers, wait_for};

fn of_pool(metrics: &Metrics, runtime: &str, name: &str) -> Option<f64> {
    let labels = [("runtime", runtime)];
    metrics.value(&format!("runtime_health_blocking_{name}"), &labels)
}

/// Pool tasks that run until this is dropped.
struct Busy(#[expect(dead_code, reason = "ends the tasks when dropped")] Vec<Sender<()>>);

fn keep_busy(runtime: &Runtime, tasks: usize) -> Busy {
    let begun = channel();
    let gates = (0..tasks).map(|_| {
        let (gate, wait) = channel::<()>();
        let begun = begun.0.clone();
        drop(runtime.spawn_blocking(move || {
            begun.send(()).unwrap();
            let _ = wait.recv();
        }));
        gate
    });
    let gates = gates.collect();
    for _ in 0..tasks {
        begun.1.recv_timeout(DEADLINE).unwrap();
    }
    Busy(gates)
}

#[test]
fn threads_of_a_configured_runtime_are_counted_exactly() {
    let _exclusive = exclusive();
    let health = RuntimeHealth::builder()
        .max_blocking_threads(7)
        .without_runtime()
        .serve_metrics(LOOPBACK)
        .start()
        .unwrap();
    let exporter = health.metrics_addr().unwrap();
    let own = Arc::new(Mutex::new([0_u32; 2]));
    let mut builder = two_workers();
    builder.thread_name("configured");
    let (started, stopped) = (Arc::clone(&own), Arc::clone(&own));
    let _ = health
        .configure_runtime(&mut builder, "main")
        .on_thread_start(move || started.lock().unwrap()[0] += 1)
        .on_thread_stop(move || stopped.lock().unwrap()[1] += 1);
    let runtime = builder
        .thread_keep_alive(Duration::from_millis(50))
        .enable_all()
        .build()
        .unwrap();
    health.observe_runtime(runtime.handle(), "main").unwrap();

    let threads = || of_pool(&scrape(exporter), "main", "threads");
    wait_for(DEADLINE, || threads() == Some(0.0));
    let max = of_pool(&scrape(exporter), "main", "threads_max");
    assert_eq!(max, Some(7.0));
    let busy = keep_busy(&runtime, 5);
    assert_eq!(threads(), Some(5.0));
    let idle = || of_pool(&scrape(exporter), "main", "threads_idle");
    wait_for(DEADLINE, || idle() == Some(0.0));
    // `configure_runtime` set the limit on tokio's builder, too.
    let more = keep_busy(&runtime, 2);
    drop(runtime.spawn_blocking(|| ()));
    assert_eq!(threads(), Some(7.0));
    drop((busy, more));
    wait_for(DEADLINE, || threads() == Some(0.0));
    drop(runtime);
    // Two workers and seven pool threads. A late probe can start one more.
    let [started, stopped] = *own.lock().unwrap();
    assert!(
        started >= 9 && started == stopped,
        "{started} and {stopped}"
    );
    // After its shutdown the runtime is no longer reported.
    wait_for(DEADLINE, || threads().is_none());
}

#[test]
fn if_the_hooks_are_overwritten_threads_are_counted_by_name() {
    let _exclusive = exclusive();
    let health = RuntimeHealth::builder()
        .without_runtime()
        .serve_metrics(LOOPBACK)
        .start()
        .unwrap();
    let exporter = health.metrics_addr().unwrap();
    let mut builder = two_workers();
    builder.thread_name("overwritten");
    let _ = health.configure_runtime(&mut builder, "main");
    builder.on_thread_start(|| ());
    let runtime = builder.enable_all().build().unwrap();
    health.observe_runtime(runtime.handle(), "main").unwrap();
    let _busy = keep_busy(&runtime, 3);
    wait_for(DEADLINE, || {
        of_pool(&scrape(exporter), "main", "threads") == Some(3.0)
    });
}

#[test]
fn threads_of_an_unconfigured_runtime_are_counted_by_name() {
    let _exclusive = exclusive();
    let runtime = two_workers()
        .thread_name("by-name-of-twenty-bytes")
        .enable_all()
        .build()
        .unwrap();
    let health = RuntimeHealth::builder()
        .observe_runtime(runtime.handle(), "main")
        .serve_metrics(LOOPBACK)
        .start()
        .unwrap();
    let exporter = health.metrics_addr().unwrap();
    let figures = || {
        let metrics = scrape(exporter);
        let of = |name| of_pool(&metrics, "main", name);
        (of("threads"), of("threads_idle"))
    };
    let busy = keep_busy(&runtime, 6);
    wait_for(DEADLINE, || figures() == (Some(6.0), Some(0.0)));
    drop(busy);
    wait_for(DEADLINE, || figures() == (Some(6.0), Some(6.0)));
    let _busy = keep_busy(&runtime, 2);
    wait_for(DEADLINE, || figures() == (Some(6.0), Some(4.0)));
}

#[test]
fn each_runtimes_pool_is_counted_apart_and_a_current_thread_runtime_has_no_workers() {
    let _exclusive = exclusive();
    let health = RuntimeHealth::builder()
        .max_blocking_threads(4)
        .without_runtime()
        .serve_metrics(LOOPBACK)
        .start()
        .unwrap();
    let exporter = health.metrics_addr().unwrap();
    let mut builders = [two_workers(), tokio::runtime::Builder::new_current_thread()];
    let names = ["many", "one"];
    let runtimes: Vec<_> = builders
        .iter_mut()
        .zip(names)
        .map(|(builder, name)| {
            let _ = health
                .configure_runtime(builder, name)
                .max_blocking_threads(4);
            let runtime = builder.build().unwrap();
            health.observe_runtime(runtime.handle(), name).unwrap();
            runtime
        })
        .collect();
    let _busy = (keep_busy(&runtimes[0], 1), keep_busy(&runtimes[1], 3));
    for (name, threads) in [("many", 1.0), ("one", 3.0)] {
        wait_for(DEADLINE, || {
            of_pool(&scrape(exporter), name, "threads") == Some(threads)
        });
        assert_eq!(of_pool(&scrape(exporter), name, "threads_max"), Some(4.0));
    }
}

#[test]
fn tasks_of_tokio_fs_show_in_the_thread_count_and_the_probe() {
    let _exclusive = exclusive();
    let runtime = two_workers()
        .thread_name("files")
        .max_blocking_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let health = RuntimeHealth::builder()
        .max_blocking_threads(2)
        .blocking_probe_interval(Duration::from_millis(100))
        .observe_runtime(runtime.handle(), "main")
        .serve_metrics(LOOPBACK)
        .start()
        .unwrap();
    let exporter = health.metrics_addr().unwrap();
    let folder = std::env::temp_dir().join(format!("pool-threads-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let pipes: Vec<_> = (0..3).map(|i| folder.join(format!("pipe{i}"))).collect();
    for pipe in &pipes {
        let made = std::process::Command::new("mkfifo")
            .arg(pipe)
            .status()
            .unwrap();
        assert!(made.success());
        // Opening a named pipe blocks until its other end is opened.
        drop(runtime.spawn(tokio::fs::read(pipe.clone())));
    }
    // Two of the reads occupy the pool. The third is queued, and so is the probe.
    wait_for(DEADLINE, || {
        let metrics = scrape(exporter);
        let of = |name| of_pool(&metrics, "main", name);
        of("threads") == Some(2.0)
            && of("probe_age_seconds") > Some(0.05)
            && of("saturated_seconds_total") > Some(0.0)
    });
    wait_for(DEADLINE, || !health.pool_findings().is_empty());
    let finding = health.pool_findings().remove(0);
    assert_eq!(finding.running, 0, "{finding}");
    for pipe in &pipes {
        std::fs::write(pipe, "x").unwrap();
    }
    wait_for(DEADLINE, || {
        of_pool(&scrape(exporter), "main", "probe_wait_seconds_count") >= Some(1.0)
    });
    wait_for(DEADLINE, || {
        health.pool_findings().iter().all(|finding| finding.is_over)
    });
    std::fs::remove_dir_all(&folder).unwrap();
}
