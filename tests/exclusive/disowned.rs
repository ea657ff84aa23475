//! Work that no request causes, after the instance that counted it is gone.
//!
//! A process of its own: in one with more instances, another may count it.

mod support;

use std::sync::mpsc::channel;

use support::{DEADLINE, two_workers};
use tower_runtime_health::{RuntimeHealth, spawn_blocking};

fn nobodys(health: &RuntimeHealth) -> Option<f64> {
    let page = support::Metrics::parse(&health.render());
    page.value(
        "runtime_health_blocking_run_seconds_count",
        &[("route", "<none>")],
    )
}

#[test]
fn an_instance_that_is_gone_counts_no_more_tasks() {
    let runtime = two_workers().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let start = || RuntimeHealth::builder().start().unwrap();
    let (first, second) = (start(), start());

    // It keeps the data of the first one alive.
    let (open, opened) = channel();
    let held = spawn_blocking(move || opened.recv_timeout(DEADLINE));
    drop(first);
    runtime.block_on(spawn_blocking(|| ())).unwrap();
    assert_eq!(nobodys(&second), Some(1.0));

    open.send(()).unwrap();
    runtime.block_on(held).unwrap().unwrap();
    assert_eq!(nobodys(&second), Some(1.0));
}
