//! `spawn_blocking` and its kin beside tokio's: the same results in the same
//! circumstances, and the figures right after each of them.

mod by_route;

use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, LazyLock, Mutex};

use crate::support::{self, DEADLINE, Metrics, scrape, two_workers, wait_for};
use tokio::runtime::Runtime;
use tokio::task::{JoinError, JoinHandle};
use tower_runtime_health::{RuntimeHealth, block_in_place, spawn_blocking, spawn_blocking_on};

type Task<R> = Box<dyn FnOnce() -> R + Send>;

/// What no request causes is counted by the oldest instance of the process, and
/// tests of one file run at the same time. Each test touches this one first.
static OLDEST: LazyLock<(Runtime, RuntimeHealth)> = LazyLock::new(one_pool_thread);

/// Taken by tests that count what nobody causes.
static NOBODYS: Mutex<()> = Mutex::new(());

/// A runtime with one pool thread, and an instance with an exporter.
fn one_pool_thread() -> (Runtime, RuntimeHealth) {
    let mut builder = two_workers();
    let runtime = builder.max_blocking_threads(1).enable_all().build();
    let runtime = runtime.unwrap();
    let health = RuntimeHealth::builder()
        .observe_runtime(runtime.handle(), "main")
        .serve_metrics(support::LOOPBACK)
        .start();
    (runtime, health.unwrap())
}

fn metrics(health: &RuntimeHealth) -> Metrics {
    scrape(health.metrics_addr().unwrap())
}

/// Tasks of a route queued, running, started so far and ended so far.
fn tasks(health: &RuntimeHealth, route: &str) -> [u64; 4] {
    let metrics = metrics(health);
    let of = |name: &str, labels: &[_]| {
        let value = metrics.value(&format!("runtime_health_blocking_{name}"), labels);
        value.unwrap_or(0.0) as u64
    };
    [
        of("tasks", &[("route", route), ("state", "queued")]),
        of("tasks", &[("route", route), ("state", "running")]),
        of("queue_wait_seconds_count", &[("route", route)]),
        of("run_seconds_count", &[("route", route)]),
    ]
}

fn wait_for_tasks(health: &RuntimeHealth, route: &str, expected: [u64; 4]) {
    wait_for(DEADLINE, || tasks(health, route) == expected);
}

/// What holds a task until the sender is dropped.
fn gate() -> (Sender<()>, impl FnOnce() + Send + 'static) {
    let (open, held) = channel();
    let wait = move || {
        let _ = held.recv_timeout(DEADLINE);
    };
    (open, wait)
}

/// The error's text without the task's number.
fn text(error: &JoinError) -> String {
    error.to_string().replace(char::is_numeric, "")
}

/// What `scenario` gives with tokio's call, then with ours, each on a runtime
/// of its own with one pool thread. Ours belongs to the route `work`.
fn each<R: Send + 'static, T>(
    scenario: impl Fn(Runtime, &RuntimeHealth, &dyn Fn(Task<R>) -> JoinHandle<R>) -> T,
) -> [T; 2] {
    LazyLock::force(&OLDEST);
    let (runtime, health) = one_pool_thread();
    let handle = runtime.handle().clone();
    let theirs = scenario(runtime, &health, &|task| handle.spawn_blocking(task));
    let (runtime, health) = one_pool_thread();
    let handle = runtime.handle().clone();
    let ours = scenario(runtime, &health, &|task| {
        let _inside = handle.enter();
        health.spawn_blocking_as("work", task)
    });
    wait_for(DEADLINE, || tasks(&health, "work")[..2] == [0, 0]);
    [theirs, ours]
}

#[test]
fn on_a_given_runtime_from_outside_of_any() {
    let _alone = crate::alone();
    let (runtime, health) = &*OLDEST;
    let _alone = NOBODYS.lock().unwrap();
    let [.., before] = tasks(health, "<none>");
    let theirs = runtime.handle().spawn_blocking(pool_thread);
    let ours = spawn_blocking_on(runtime.handle(), pool_thread);
    let [theirs, ours] = [theirs, ours].map(|task| runtime.block_on(task).unwrap());
    assert_eq!(ours, theirs);
    wait_for_tasks(health, "<none>", [0, 0, before + 1, before + 1]);
}

fn pool_thread() -> std::thread::ThreadId {
    std::thread::current().id()
}

#[test]
fn named_work_is_counted_by_its_name() {
    let _alone = crate::alone();
    LazyLock::force(&OLDEST);
    let (runtime, health) = one_pool_thread();
    let (open, held) = gate();
    let spawned = runtime.block_on(async {
        let first = health.spawn_blocking_as("nightly-report", held);
        [first, health.spawn_blocking_as("nightly-report", || ())]
    });
    wait_for_tasks(&health, "nightly-report", [1, 1, 1, 0]);
    drop(open);
    for task in spawned {
        runtime.block_on(task).unwrap();
    }
    wait_for_tasks(&health, "nightly-report", [0, 0, 2, 2]);
    assert_eq!(tasks(&health, "<none>"), [0; 4]);
}

#[test]
fn aborted_before_its_start_it_never_runs() {
    let _alone = crate::alone();
    let [theirs, ours] = each(|runtime, health, spawn| {
        let (open, held) = gate();
        let holder = runtime.handle().spawn_blocking(held);
        let ran = Arc::new(AtomicBool::new(false));
        let runs = Arc::clone(&ran);
        let task = spawn(Box::new(move || runs.store(true, Ordering::Relaxed)));
        task.abort();
        let early = task.is_finished();
        drop(open);
        runtime.block_on(holder).unwrap();
        let error = runtime.block_on(task).unwrap_err();
        assert!(error.is_cancelled());
        // What it has captured is dropped, too.
        wait_for(DEADLINE, || Arc::strong_count(&ran) == 1);
        assert!(!ran.load(Ordering::Relaxed));
        assert_eq!(tasks(health, "work"), [0; 4]);
        (early, text(&error))
    });
    assert_eq!(ours, theirs);
}

#[test]
fn aborted_after_its_start_it_runs_to_its_end() {
    let _alone = crate::alone();
    let [theirs, ours] = each(|runtime, health, spawn| {
        let (open, held) = gate();
        let (started, starts) = channel();
        let task = spawn(Box::new(move || {
            started.send(()).unwrap();
            held();
            7
        }));
        starts.recv_timeout(DEADLINE).unwrap();
        let counted = tasks(health, "work");
        task.abort();
        let early = task.is_finished();
        // Aborting has changed nothing.
        assert_eq!(tasks(health, "work"), counted);
        drop(open);
        let result = runtime.block_on(task).map_err(|error| text(&error));
        wait_for_tasks(health, "work", [0, 0, counted[1], counted[1]]);
        (early, result)
    });
    assert_eq!(ours, theirs);
    assert_eq!(ours, (false, Ok(7)));
}

#[test]
fn a_panic_comes_through_as_it_is() {
    let _alone = crate::alone();
    #[derive(Debug, PartialEq)]
    struct Payload(u32);

    let caught = |error: JoinError| {
        let text = text(&error);
        let payload = error.into_panic();
        let number = payload.downcast_ref::<Payload>().map(|payload| payload.0);
        (text, number, payload.downcast_ref::<&str>().copied())
    };
    let [theirs, ours] = each::<(), _>(|runtime, _, spawn| {
        let tasks = [
            spawn(Box::new(|| std::panic::panic_any(Payload(7)))),
            spawn(Box::new(|| panic!("on purpose"))),
        ];
        tasks.map(|task| caught(runtime.block_on(task).unwrap_err()))
    });
    assert_eq!(ours, theirs);
    assert_eq!(ours[0].1, Some(7));
    assert_eq!(ours[1].2, Some("on purpose"));
}

#[test]
fn at_shutdown_queued_tasks_resolve_as_tokios() {
    let _alone = crate::alone();
    let [theirs, ours] = each(|runtime, _, spawn| {
        let (open, held) = gate();
        let (started, starts) = channel();
        let first = spawn(Box::new(move || {
            started.send(()).unwrap();
            held();
            0
        }));
        starts.recv_timeout(DEADLINE).unwrap();
        let queued = (1..4).map(|number| spawn(Box::new(move || number)));
        let mut tasks: Vec<_> = std::iter::once(first).chain(queued).collect();
        tasks[2].abort();
        runtime.shutdown_background();
        tasks.push(spawn(Box::new(|| 4)));
        drop(open);
        support::run(async {
            let mut results = Vec::new();
            for task in tasks {
                results.push(task.await.map_err(|error| text(&error)));
            }
            results
        })
    });
    assert_eq!(ours, theirs);
    assert!(ours[0].is_ok() && ours[2].is_err() && ours[4].is_err());
}

/// The line at which `panics` panics, as far as hooks are told.
fn panic_line(panics: impl FnOnce()) -> Option<(String, u32)> {
    static FOUND: Mutex<Vec<(std::thread::ThreadId, String, u32)>> = Mutex::new(Vec::new());
    static HOOK: LazyLock<()> = LazyLock::new(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let at = info.location().map(|at| (at.file().into(), at.line()));
            let (file, line) = at.unwrap_or_default();
            let mut found = FOUND.lock().unwrap();
            found.push((std::thread::current().id(), file, line));
            drop(found);
            before(info);
        }));
    });
    LazyLock::force(&HOOK);
    catch_unwind(AssertUnwindSafe(panics)).unwrap_err();
    let found = FOUND.lock().unwrap();
    let mut own = found.iter().rev().filter(|(id, ..)| *id == pool_thread());
    own.next().map(|(_, file, line)| (file.clone(), *line))
}

/// The line this is called at.
#[track_caller]
fn here() -> Option<(String, u32)> {
    let at = Location::caller();
    Some((at.file().into(), at.line()))
}

#[test]
#[rustfmt::skip]
fn a_panic_names_the_callers_line_as_tokios_does() {
    let _alone = crate::alone();
    LazyLock::force(&OLDEST);
    let (_, health) = one_pool_thread();
    let one = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (panicked, line) in [
        (panic_line(|| drop(tokio::task::spawn_blocking(|| ()))), here()),
        (panic_line(|| drop(spawn_blocking(|| ()))), here()),
        (panic_line(|| drop(health.spawn_blocking(|| ()))), here()),
        (panic_line(|| drop(health.spawn_blocking_as("work", || ()))), here()),
        (panic_line(|| one.block_on(async { tokio::task::block_in_place(|| ()) })), here()),
        (panic_line(|| one.block_on(async { block_in_place(|| ()) })), here()),
    ] {
        assert_eq!(panicked, line);
    }
    assert_eq!(tasks(&health, "work"), [0; 4]);
    assert_eq!(tasks(&health, "<none>"), [0; 4]);
    let open = metrics(&OLDEST.1).sum("runtime_health_blocking_in_place", &[]);
    assert_eq!(open, 0.0);
}
