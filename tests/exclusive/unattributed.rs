//! Pool tasks that no request caused, after the instance that counted them was dropped.

use std::sync::mpsc::channel;

use tower_runtime_health::{RuntimeHealth, spawn_blocking};

use crate::isolation::own_process;
use crate::support::{self, DEADLINE, two_workers};

fn unattributed(health: &RuntimeHealth) -> Option<f64> {
    let page = support::Metrics::parse(&health.render());
    page.value(
        "runtime_health_blocking_run_seconds_count",
        &[("route", "<none>")],
    )
}

#[test]
fn a_dropped_instance_counts_no_more_tasks() {
    own_process(
        "unattributed::a_dropped_instance_counts_no_more_tasks",
        || {
            let runtime = two_workers().enable_all().build().unwrap();
            let _inside = runtime.enter();
            let start = || RuntimeHealth::builder().start().unwrap();
            let (first, second) = (start(), start());

            // A running task keeps the data of the first instance alive.
            let (open, opened) = channel();
            let held = spawn_blocking(move || opened.recv_timeout(DEADLINE));
            drop(first);
            runtime.block_on(spawn_blocking(|| ())).unwrap();
            assert_eq!(unattributed(&second), Some(1.0));

            open.send(()).unwrap();
            runtime.block_on(held).unwrap().unwrap();
            assert_eq!(unattributed(&second), Some(1.0));
        },
    );
}
