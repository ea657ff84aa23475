//! Calls from inside requests: which route their tasks belong to.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use tokio::runtime::Handle;
use tower_runtime_health::{RuntimeHealth, block_in_place, spawn_blocking, spawn_blocking_on};

use super::{gate, metrics, one_pool_thread, tasks, wait_for_tasks};
use crate::isolation::{exclusive, own_process};
use crate::support::{self, DEADLINE, Server, fire, read_to_close, wait_for};

fn serve(router: Router) -> Server {
    Server::axum(RuntimeHealth::builder(), router)
}

/// Calls of `block_in_place` in progress.
fn in_place(server: &Server, route: &str) -> Option<f64> {
    let labels = [("route", route)];
    server
        .metrics()
        .value("runtime_health_blocking_in_place", &labels)
}

/// Wraps a value that a handler takes once, although the handler itself can be called often.
fn once<T>(value: T) -> impl Fn() -> T + Clone {
    let value = Arc::new(Mutex::new(Some(value)));
    move || value.lock().unwrap().take().unwrap()
}

#[test]
fn a_call_of_block_in_place_is_counted_until_it_returns() {
    let _exclusive = exclusive();
    let (open, held) = gate();
    let held = once(held);
    let handler = move || async move {
        block_in_place(|| {
            held()();
            "done"
        })
    };
    let server = serve(Router::new().route("/convert/{id}", get(handler)));
    let mut client = fire(&server, "/convert/7");
    wait_for(DEADLINE, || in_place(&server, "/convert/{id}") == Some(1.0));
    drop(open);
    assert!(read_to_close(&mut client).ends_with(b"done"));
    assert_eq!(in_place(&server, "/convert/{id}"), Some(0.0));
    // It is not counted as a task.
    assert_eq!(tasks(server.health(), "/convert/{id}"), [0; 4]);
}

#[test]
fn a_call_of_block_in_place_that_panics_is_no_longer_counted() {
    let _exclusive = exclusive();
    let (open, held) = gate();
    let held = once(held);
    let handler = move || async move {
        block_in_place(|| {
            held()();
            panic!("on purpose");
        });
    };
    let server = serve(Router::new().route("/panics", get(handler)));
    let mut client = fire(&server, "/panics");
    wait_for(DEADLINE, || in_place(&server, "/panics") == Some(1.0));
    drop(open);
    // axum closes the connection without an answer.
    assert_eq!(read_to_close(&mut client), b"");
    assert_eq!(in_place(&server, "/panics"), Some(0.0));
}

#[test]
fn block_in_place_may_await_and_spawn_as_tokios_may() {
    let _exclusive = exclusive();
    let handler = || async {
        block_in_place(|| {
            // The task belongs to the request's route here, too.
            let task = spawn_blocking(|| "inner");
            Handle::current().block_on(task).unwrap()
        })
    };
    let server = serve(Router::new().route("/both", get(handler)));
    assert_eq!(support::get(server.addr(), "/both").body, "inner");
    wait_for_tasks(server.health(), "/both", [0, 0, 1, 1]);
    assert_eq!(in_place(&server, "/both"), Some(0.0));
}

#[test]
fn a_task_in_a_task_in_a_task_belongs_to_the_route_while_it_runs() {
    let _exclusive = exclusive();
    let (open, held) = gate();
    let held = once(held);
    let handler = move || async move {
        let middle = spawn_blocking(move || spawn_blocking(move || spawn_blocking(held())));
        middle.await.unwrap().await.unwrap().await.unwrap();
        "done"
    };
    let server = serve(Router::new().route("/deep", get(handler)));
    let mut client = fire(&server, "/deep");
    wait_for_tasks(server.health(), "/deep", [0, 1, 3, 2]);
    drop(open);
    assert!(read_to_close(&mut client).ends_with(b"done"));
    wait_for_tasks(server.health(), "/deep", [0, 0, 3, 3]);
}

#[test]
fn a_request_can_use_the_pool_of_another_runtime() {
    let _exclusive = exclusive();
    let (other, others_health) = one_pool_thread();
    let handle = other.handle().clone();
    let handler = move || async move {
        // Both the task and a task that it spawns run on the other pool's only thread.
        let inner = spawn_blocking_on(&handle, || {
            (
                std::thread::current().id(),
                spawn_blocking(super::pool_thread),
            )
        });
        let (outer, inner) = inner.await.unwrap();
        assert_eq!(outer, inner.await.unwrap());
        "same"
    };
    let server = serve(Router::new().route("/elsewhere", get(handler)));
    assert_eq!(support::get(server.addr(), "/elsewhere").body, "same");
    wait_for_tasks(server.health(), "/elsewhere", [0, 0, 2, 2]);
    let started = metrics(&others_health).sum("runtime_health_blocking_run_seconds_count", &[]);
    assert_eq!(started, 0.0);
}

#[test]
fn a_name_is_inherited_by_a_tasks_tasks_only() {
    own_process(
        "blocking_wrapper::by_route::a_name_is_inherited_by_a_tasks_tasks_only",
        || {
            // The oldest instance of the process counts what no request caused.
            let (_kept, oldest) = one_pool_thread();
            // On a single pool thread, later tasks must not inherit the name.
            let (runtime, health) = one_pool_thread();
            runtime.block_on(async {
                let inner = health.spawn_blocking_as("nightly-report", || spawn_blocking(|| ()));
                inner.await.unwrap().await.unwrap();
                // A task of tokio's own on the same thread spawns one that no request caused.
                let uncaused = tokio::task::spawn_blocking(|| spawn_blocking(|| ()));
                uncaused.await.unwrap().await.unwrap();
            });
            wait_for_tasks(&oldest, "<none>", [0, 0, 1, 1]);
            wait_for_tasks(&health, "nightly-report", [0, 0, 2, 2]);
        },
    );
}
