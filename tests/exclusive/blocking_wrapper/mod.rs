//! `spawn_blocking` and its variants return what tokio's functions return in the same situation,
//! and the figures are right after each of them.

mod by_route;

use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, LazyLock, Mutex};

use tokio::runtime::Runtime;
use tokio::task::{JoinError, JoinHandle};
use tower_runtime_health::{RuntimeHealth, block_in_place, spawn_blocking, spawn_blocking_on};

use crate::isolation::{exclusive, own_process};
use crate::support::{self, DEADLINE, Metrics, scrape, two_workers, wait_for};

type Task<R> = Box<dyn FnOnce() -> R + Send>;

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

/// A route's tasks: queued, running, started so far, and ended so far.
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

/// Returns a closure that blocks until the sender is dropped.
fn gate() -> (Sender<()>, impl FnOnce() + Send + 'static) {
    let (open, held) = channel();
    let wait = move || {
        let _ = held.recv_timeout(DEADLINE);
    };
    (open, wait)
}

/// The error's text without the id of the task.
fn text(error: &JoinError) -> String {
    error.to_string().replace(char::is_numeric, "")
}

/// Runs `scenario` with tokio's function and with this crate's, each on a runtime of its own with
/// one pool thread. The crate's tasks have the route `work`.
fn each<R: Send + 'static, T>(
    scenario: impl Fn(Runtime, &RuntimeHealth, &dyn Fn(Task<R>) -> JoinHandle<R>) -> T,
) -> [T; 2] {
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
fn spawn_blocking_on_runs_on_the_given_runtimes_pool_from_outside_of_any_runtime() {
    own_process(
        "blocking_wrapper::spawn_blocking_on_runs_on_the_given_runtimes_pool_from_outside_of_any_runtime",
        || {
            // The oldest instance of the process counts the task.
            let (runtime, health) = one_pool_thread();
            let theirs = runtime.handle().spawn_blocking(pool_thread);
            let ours = spawn_blocking_on(runtime.handle(), pool_thread);
            let [theirs, ours] = [theirs, ours].map(|task| runtime.block_on(task).unwrap());
            assert_eq!(ours, theirs);
            wait_for_tasks(&health, "<none>", [0, 0, 1, 1]);
        },
    );
}

fn pool_thread() -> std::thread::ThreadId {
    std::thread::current().id()
}

#[test]
fn a_named_task_is_counted_by_its_name() {
    let _exclusive = exclusive();
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
fn a_task_aborted_before_its_start_never_runs() {
    let _exclusive = exclusive();
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
        // What the task captured is dropped.
        wait_for(DEADLINE, || Arc::strong_count(&ran) == 1);
        assert!(!ran.load(Ordering::Relaxed));
        assert_eq!(tasks(health, "work"), [0; 4]);
        (early, text(&error))
    });
    assert_eq!(ours, theirs);
}

#[test]
fn a_task_aborted_after_its_start_runs_to_its_end() {
    let _exclusive = exclusive();
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
        // The abort changed nothing.
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
fn a_panic_reaches_the_caller_unchanged() {
    let _exclusive = exclusive();
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
fn at_shutdown_queued_tasks_resolve_as_tokios_do() {
    let _exclusive = exclusive();
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

/// The location of the panic of `panics`, as a panic hook sees it.
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

/// The location of the call.
#[track_caller]
fn here() -> Option<(String, u32)> {
    let at = Location::caller();
    Some((at.file().into(), at.line()))
}

#[test]
#[rustfmt::skip]
fn a_panic_names_the_callers_line_as_tokios_does() {
    own_process("blocking_wrapper::a_panic_names_the_callers_line_as_tokios_does", || {
    // Sets the panic hook of the process. The oldest instance counts what no request caused.
    let (_kept, oldest) = one_pool_thread();
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
    let open = metrics(&oldest).sum("runtime_health_blocking_in_place", &[]);
    assert_eq!(open, 0.0);
    });
}
