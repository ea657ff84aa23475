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

/// Our threads' names as the kernel keeps them, at most 15 bytes, sorted.
const OURS: [&str; 5] = [
    "health-exporter",
    "health-offload",
    "health-pool",
    "health-symbols",
    "health-watchdog",
];

/// The folders of our threads, once all of them run and no other thread bears a name
/// of theirs: a thread names itself, and until then it has the name of the one that
/// started it.
fn ours() -> Option<Vec<PathBuf>> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let named = tasks.filter_map(|task| {
        let task = task.unwrap().path();
        let name = fs::read_to_string(task.join("comm")).ok()?;
        let ours = name.starts_with("health-");
        ours.then(|| (name.trim_end().to_owned(), task))
    });
    let mut named: Vec<(String, PathBuf)> = named.collect();
    named.sort();
    let all = named.iter().map(|(name, _)| name).eq(OURS.iter());
    all.then(|| named.into_iter().map(|(_, task)| task).collect())
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
    let mut found = None;
    wait_for(DEADLINE, || {
        found = ours();
        found.is_some()
    });
    let ours = found.unwrap();
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
