//! What is logged of a saturated pool: once when it is, once when it is over.
//! A test binary of its own: it takes the process's subscriber.

mod support;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::{DEADLINE, two_workers, wait_for};
use tower_runtime_health::RuntimeHealth;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn lines(&self, containing: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().filter(|line| line.contains(containing));
        lines.map(str::to_owned).collect()
    }
}

#[test]
fn a_saturated_pool_is_logged_once_and_so_is_its_end() {
    const POOL: usize = 2;
    const TASKS: usize = 8;
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let runtime = two_workers()
        .max_blocking_threads(POOL)
        .enable_all()
        .build()
        .unwrap();
    let health = RuntimeHealth::builder()
        .max_blocking_threads(POOL)
        .observe_runtime(runtime.handle(), "main")
        .start()
        .unwrap();
    let run = || {
        let _entered = runtime.enter();
        let task = |_| {
            health.spawn_blocking_as("nightly", || {
                std::thread::sleep(Duration::from_millis(100));
            })
        };
        let tasks: Vec<_> = (0..TASKS).map(task).collect();
        for task in tasks {
            runtime.block_on(task).unwrap();
        }
    };
    run();
    wait_for(DEADLINE, || !log.lines("no longer saturated").is_empty());
    let began = log.lines("the blocking pool is saturated");
    assert_eq!(began.len(), 1, "{began:#?}");
    for part in [
        " WARN ",
        "runtime=\"main\"",
        "limit=2",
        "running=2",
        "held_by=nightly at tests/pool_events.rs:",
        "2 of 2 threads",
        "fix=\"",
    ] {
        assert!(began[0].contains(part), "no {part} in {}", began[0]);
    }
    let ended = log.lines("no longer saturated");
    assert_eq!(ended.len(), 1, "{ended:#?}");
    for part in [" INFO ", "lasted_ms=", "most_queued=", "longest_wait_ms="] {
        assert!(ended[0].contains(part), "no {part} in {}", ended[0]);
    }

    // Again within `log_interval`: a finding, and no more events.
    run();
    wait_for(DEADLINE, || {
        let findings = health.pool_findings();
        findings.len() == 2 && findings.iter().all(|finding| finding.is_over)
    });
    assert_eq!(log.lines("the blocking pool").len(), 2);
}
