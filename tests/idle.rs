//! Our threads sleep while nothing is polled. A test binary of its own: it looks
//! for all of them in the process.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use support::{DEADLINE, Server, serve_axum, wait_for};
use tower_runtime_health::RuntimeHealth;

/// The folders of our threads: watchdog, reports, symbols, pools, exporter. A thread
/// names itself, so it may take a while until it is found.
fn ours() -> Vec<PathBuf> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let is_ours = |task: &PathBuf| {
        fs::read_to_string(task.join("comm")).is_ok_and(|name| name.starts_with("health-"))
    };
    let tasks = tasks.map(|task| task.unwrap().path());
    tasks.filter(is_ours).collect()
}

/// How often threads were scheduled out: each is a wake-up that has ended.
fn switches(tasks: &[PathBuf]) -> u64 {
    let of_line = |line: &str| -> u64 {
        let count = line.split_whitespace().last();
        count.unwrap().parse().unwrap()
    };
    let of_thread = |task: &PathBuf| -> u64 {
        let status = fs::read_to_string(task.join("status")).unwrap();
        let counts = status.lines().filter(|line| line.contains("ctxt_switches"));
        counts.map(of_line).sum()
    };
    tasks.iter().map(of_thread).sum()
}

#[test]
fn no_thread_of_ours_wakes_while_nothing_is_polled() {
    let router = Router::new().route("/", get(|| async {})).route(
        "/late",
        get(|| async { std::thread::sleep(Duration::from_millis(50)) }),
    );
    let server = Server::layered(RuntimeHealth::builder(), |listener, layer| {
        serve_axum(listener, router.layer(layer))
    });
    wait_for(DEADLINE, || ours().len() == 5);
    let ours = ours();
    let late = || -> u64 {
        let findings = server.health().findings();
        let late = findings.iter().filter(|finding| &*finding.route == "/late");
        late.map(|finding| finding.polls).sum()
    };
    for _ in 0..3 {
        assert_eq!(support::get(server.addr(), "/").status, 200);
        // Asleep: no wake-up in a whole second, in which it would tick 200 times.
        wait_for(DEADLINE, || {
            let before = switches(&ours);
            std::thread::sleep(Duration::from_secs(1));
            switches(&ours) == before
        });
        // And it wakes for the next poll.
        let before = late();
        assert_eq!(support::get(server.addr(), "/late").status, 200);
        wait_for(DEADLINE, || late() > before);
    }
}
