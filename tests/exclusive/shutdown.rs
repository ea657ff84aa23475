//! The crate's threads end with the last handle, layer and service.
#![cfg(target_os = "linux")]

use std::fs;
use std::net::TcpStream;

use tower::Layer;
use tower_runtime_health::RuntimeHealth;

use crate::isolation::own_process;
use crate::support::{self, DEADLINE, LOOPBACK, wait_for};

fn own_threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok())
        .filter(|name| name.starts_with("health-"))
        .count()
}

#[test]
fn threads_end_when_the_last_handle_layer_and_service_are_dropped() {
    own_process(
        "shutdown::threads_end_when_the_last_handle_layer_and_service_are_dropped",
        || {
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
            wait_for(DEADLINE, || own_threads() == 5);

            let (layer, other) = (health.layer(), health.clone());
            drop(health);
            let service = layer.layer(());
            drop((layer, other));
            assert_eq!(own_threads(), 5, "a service still exists");
            assert_eq!(support::get(addr, "/metrics").status, 200);

            drop(service);
            wait_for(DEADLINE, || own_threads() == 0);
            wait_for(DEADLINE, || TcpStream::connect(addr).is_err());
            // The collector keeps the figures.
            assert!(!prometheus::core::Collector::collect(&registered).is_empty());
        },
    );
}
