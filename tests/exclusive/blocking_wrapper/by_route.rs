//! Calls from inside requests: whose route they belong to, from beginning to
//! end.

use std::sync::{Arc, LazyLock, Mutex};

use axum::Router;
use axum::routing::get;
use tokio::runtime::Handle;
use tower_runtime_health::{RuntimeHealth, block_in_place, spawn_blocking, spawn_blocking_on};

use super::{NOBODYS, OLDEST, gate, metrics, one_pool_thread, tasks, wait_for_tasks};
use crate::support::{
    self, DEADLINE, Server, fire, read_to_close, serve_axum, two_workers, wait_for,
};

fn serve(router: Router) -> Server {
    LazyLock::force(&OLDEST);
    Server::layered_on(
        &mut two_workers(),
        RuntimeHealth::builder(),
        |listener, layer| serve_axum(listener, router.layer(layer)),
    )
}

/// Calls of `block_in_place` in progress.
fn in_place(server: &Server, route: &str) -> Option<f64> {
    let labels = [("route", route)];
    server
        .metrics()
        .value("runtime_health_blocking_in_place", &labels)
}

/// A handler can be called often, what holds it only once.
fn once<T>(value: T) -> impl Fn() -> T + Clone {
    let value = Arc::new(Mutex::new(Some(value)));
    move || value.lock().unwrap().take().unwrap()
}

#[test]
fn a_handler_inside_block_in_place_is_counted_until_it_leaves() {
    let _alone = crate::alone();
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
    // It is no task.
    assert_eq!(tasks(server.health(), "/convert/{id}"), [0; 4]);
}

#[test]
fn a_panic_inside_block_in_place_leaves_the_gauge() {
    let _alone = crate::alone();
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
fn block_in_place_may_await_and_spawn_as_tokios() {
    let _alone = crate::alone();
    let handler = || async {
        block_in_place(|| {
            // The route is known here, too.
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
    let _alone = crate::alone();
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
    let _alone = crate::alone();
    let (other, others_health) = one_pool_thread();
    let handle = other.handle().clone();
    let handler = move || async move {
        // The task's thread and that of a task in it are the other pool's only
        // one.
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
fn a_name_is_handed_on_to_a_tasks_tasks_and_to_nobody_else() {
    let _alone = crate::alone();
    let _alone = NOBODYS.lock().unwrap();
    let [.., before] = tasks(&OLDEST.1, "<none>");
    // One pool thread: what runs there later must not inherit anything.
    let (runtime, health) = one_pool_thread();
    runtime.block_on(async {
        let inner = health.spawn_blocking_as("nightly-report", || spawn_blocking(|| ()));
        inner.await.unwrap().await.unwrap();
        // tokio's own, on the same thread: nobody's task puts one there.
        let nobodys = tokio::task::spawn_blocking(|| spawn_blocking(|| ()));
        nobodys.await.unwrap().await.unwrap();
    });
    wait_for_tasks(&OLDEST.1, "<none>", [0, 0, before + 1, before + 1]);
    wait_for_tasks(&health, "nightly-report", [0, 0, 2, 2]);
}
