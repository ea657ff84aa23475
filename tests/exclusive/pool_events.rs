//! The log events of a saturated pool: one when saturation begins, one when it ends.

use tower_runtime_health::RuntimeHealth;

use crate::gate::Gate;
use crate::isolation::exclusive;
use crate::log;
use crate::support::{DEADLINE, two_workers, wait_for};

/// The name of the runtime. No other test uses it.
const RUNTIME: &str = "logged";

/// The lines about this runtime's pool that contain `text`.
fn logged(text: &str) -> Vec<String> {
    log::lines(&["runtime=\"logged\"", text])
}

#[test]
fn saturation_is_logged_once_when_it_begins_and_once_when_it_ends() {
    const POOL: usize = 2;
    const TASKS: usize = 8;
    let _exclusive = exclusive();
    log::collect();
    let runtime = two_workers()
        .max_blocking_threads(POOL)
        .enable_all()
        .build()
        .unwrap();
    let health = RuntimeHealth::builder()
        .max_blocking_threads(POOL)
        .observe_runtime(runtime.handle(), RUNTIME)
        .start()
        .unwrap();
    // The pool stays saturated until `is_seen`, however late the pool monitor samples it.
    let saturate = |is_seen: &dyn Fn() -> bool| {
        let _entered = runtime.enter();
        let gate = Gate::default();
        let task = |_| {
            let gate = gate.clone();
            health.spawn_blocking_as("nightly", move || gate.wait())
        };
        let tasks: Vec<_> = (0..TASKS).map(task).collect();
        wait_for(DEADLINE, is_seen);
        gate.open();
        for task in tasks {
            runtime.block_on(task).unwrap();
        }
    };
    saturate(&|| !logged("the blocking pool is saturated").is_empty());
    wait_for(DEADLINE, || !logged("no longer saturated").is_empty());
    let began = logged("the blocking pool is saturated");
    assert_eq!(began.len(), 1, "{began:#?}");
    for part in [
        " WARN ",
        "runtime=\"logged\"",
        "limit=2",
        "running=2",
        concat!("held_by=nightly at ", file!(), ":"),
        "2 of 2 threads",
        "fix=\"",
    ] {
        assert!(began[0].contains(part), "no {part} in {}", began[0]);
    }
    let ended = logged("no longer saturated");
    assert_eq!(ended.len(), 1, "{ended:#?}");
    for part in [" INFO ", "lasted_ms=", "most_queued=", "longest_wait_ms="] {
        assert!(ended[0].contains(part), "no {part} in {}", ended[0]);
    }

    // Again, within `log_interval`: another finding, and no more events.
    saturate(&|| health.pool_findings().len() == 2);
    wait_for(DEADLINE, || {
        let findings = health.pool_findings();
        findings.len() == 2 && findings.iter().all(|finding| finding.is_over)
    });
    assert_eq!(logged("the blocking pool").len(), 2);
}
