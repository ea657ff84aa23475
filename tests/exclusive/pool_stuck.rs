//! A pool without progress, a deadlocked pool, and a task that does not end.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};
use tower_runtime_health::{
    Builder, PoolFinding, PoolFindingKind, RuntimeHealth, spawn_blocking_on,
};

use crate::isolation::exclusive;
use crate::support::{DEADLINE, two_workers, wait_for};

const POOL: usize = 3;

fn watched(threads: &str, options: Builder) -> (Runtime, RuntimeHealth) {
    let runtime = two_workers()
        .thread_name(threads)
        .max_blocking_threads(POOL)
        .enable_all()
        .build()
        .unwrap();
    let health = options
        .max_blocking_threads(POOL)
        .blocking_probe_interval(Duration::from_millis(100))
        .pool_stuck_after(Duration::from_millis(500))
        .observe_runtime(runtime.handle(), "main")
        .start()
        .unwrap();
    (runtime, health)
}

#[track_caller]
fn found(health: &RuntimeHealth, is_it: impl Fn(&PoolFinding) -> bool) -> PoolFinding {
    let mut found = None;
    wait_for(DEADLINE, || {
        found = health
            .pool_findings()
            .into_iter()
            .find(|finding| is_it(finding));
        found.is_some()
    });
    found.unwrap()
}

#[test]
fn a_pool_whose_tasks_wait_for_queued_tasks_is_reported_as_deadlocked() {
    let _exclusive = exclusive();
    let (runtime, health) = watched("deadlock", RuntimeHealth::builder());
    let (gates, inner) = (Gates::default(), runtime.handle().clone());
    let _entered = runtime.enter();
    let outer: Vec<_> = (0..POOL)
        .map(|_| {
            let (inner, gates) = (inner.clone(), gates.clone());
            health.spawn_blocking_as("outer", move || nested(&inner, &gates))
        })
        .collect();
    // All threads are occupied before the first inner task is queued.
    gates.open_when(POOL);
    let finding = found(&health, |finding| finding.no_progress.is_some());
    let text = finding.to_string();
    let finding = if finding.is_deadlock {
        finding
    } else {
        found(&health, |finding| finding.is_deadlock)
    };
    assert_eq!(finding.kind, PoolFindingKind::Saturated, "{text}");
    assert_eq!(
        (&*finding.holders[0].route, finding.queued),
        ("outer", POOL as u64),
        "{text}"
    );
    assert!(finding.advice().contains("inside a pool task"));
    // Only an abort or a shutdown resolves a deadlock.
    for task in &outer {
        task.abort();
    }
    drop(_entered);
    runtime.shutdown_background();
}

/// A pool task that waits for another pool task.
fn nested(inner: &Handle, gates: &Gates) {
    gates.wait();
    let task = spawn_blocking_on(inner, || 7);
    let _ = inner.block_on(task);
}

/// Releases all waiting tasks at once, when as many wait as expected.
#[derive(Clone, Default)]
struct Gates(Arc<Mutex<Vec<Sender<()>>>>);

impl Gates {
    fn wait(&self) {
        let (gate, opened) = channel();
        self.0.lock().unwrap().push(gate);
        let _ = opened.recv_timeout(DEADLINE);
    }

    #[track_caller]
    fn open_when(&self, waiting: usize) {
        wait_for(DEADLINE, || self.0.lock().unwrap().len() == waiting);
        self.0.lock().unwrap().clear();
    }
}

#[test]
fn a_pool_without_progress_is_reported_as_such_and_not_as_a_deadlock() {
    let _exclusive = exclusive();
    let (runtime, health) = watched("standstill", RuntimeHealth::builder());
    let (gate, wait) = channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let _entered = runtime.enter();
    for _ in 0..POOL + 2 {
        let wait = Arc::clone(&wait);
        drop(health.spawn_blocking(move || hold(&wait)));
    }
    let finding = found(&health, |finding| finding.no_progress.is_some());
    assert!(!finding.is_deadlock, "{finding}");
    assert!(finding.to_string().contains("no progress for"), "{finding}");
    drop(gate);
    let finding = found(&health, |finding| finding.is_over);
    assert_eq!(finding.queued, 0, "{finding}");
}

fn hold(wait: &Mutex<Receiver<()>>) {
    let _ = wait.lock().unwrap().recv();
}

#[test]
fn a_saturated_pool_of_sleeping_tasks_makes_progress() {
    let _exclusive = exclusive();
    let (runtime, health) = watched("sleepers", RuntimeHealth::builder());
    let _entered = runtime.enter();
    let tasks: Vec<_> = (0..2 * POOL)
        .map(|_| health.spawn_blocking(|| std::thread::sleep(Duration::from_millis(1_000))))
        .collect();
    for task in tasks {
        runtime.block_on(task).unwrap();
    }
    let finding = found(&health, |finding| finding.is_over);
    assert_eq!(finding.no_progress, None, "{finding}");
    assert!(finding.lasted > Duration::from_millis(600), "{finding}");
}

#[test]
fn a_task_that_does_not_end_is_a_finding_with_its_place() {
    let _exclusive = exclusive();
    let options = RuntimeHealth::builder().long_blocking_task(Duration::from_millis(300));
    let (runtime, health) = watched("endless", options);
    let (gate, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let _entered = runtime.enter();
    let site = line!() + 1;
    let task = health.spawn_blocking_as("consumer", move || hold(&wait));
    let finding = found(&health, |finding| {
        finding.kind == PoolFindingKind::LongTask
            && finding
                .examples
                .iter()
                .any(|example| example.place.is_some())
    });
    let text = finding.to_string();
    let holder = &finding.holders[0];
    assert_eq!(
        (&*holder.route, &*holder.site),
        ("consumer", &*format!("{}:{site}", file!()))
    );
    assert!(finding.lasted >= Duration::from_millis(300), "{text}");
    let example = &finding.examples[0];
    assert_eq!(example.cause, tower_runtime_health::Cause::Lock, "{text}");
    assert!(
        example.place.as_ref().unwrap().to_string().contains("hold"),
        "{text}"
    );
    drop(gate);
    runtime.block_on(task).unwrap();
    found(&health, |finding| finding.is_over);
    assert_eq!(health.pool_findings().len(), 1);
}
