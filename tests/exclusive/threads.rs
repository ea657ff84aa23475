//! Threads end with their owners. A test binary of its own: it counts the
//! threads of the process.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::net::TcpStream;

use support::{DEADLINE, LOOPBACK, wait_for};
use tower::Layer;
use tower_runtime_health::RuntimeHealth;

fn threads_of_ours() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok())
        .filter(|name| name.starts_with("health-"))
        .count()
}

#[test]
fn threads_end_when_the_last_handle_layer_and_service_are_gone() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let health = RuntimeHealth::builder()
        .observe_runtime(runtime.handle(), "main")
        .serve_metrics(LOOPBACK)
        .start()
        .unwrap();
    let addr = health.metrics_addr().unwrap();
    let registered = health.collector();
    wait_for(DEADLINE, || threads_of_ours() == 5);

    let (layer, other) = (health.layer(), health.clone());
    drop(health);
    let service = layer.layer(());
    drop((layer, other));
    assert_eq!(threads_of_ours(), 5, "a service is left");
    assert_eq!(support::get(addr, "/metrics").status, 200);

    drop(service);
    wait_for(DEADLINE, || threads_of_ours() == 0);
    wait_for(DEADLINE, || TcpStream::connect(addr).is_err());
    // The collector still has the figures.
    assert!(!prometheus::core::Collector::collect(&registered).is_empty());
}
