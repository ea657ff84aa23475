//! The crate's threads sleep while nothing is polled.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tower_runtime_health::RuntimeHealth;

use crate::isolation::own_process;
use crate::support::{self, DEADLINE, Server, wait_for};

/// The names of the crate's threads as the kernel keeps them (at most 15 bytes), sorted.
const OURS: [&str; 5] = [
    "health-exporter",
    "health-offload",
    "health-pool",
    "health-symbols",
    "health-watchdog",
];

/// Returns the directories of the crate's threads once exactly these have their names. A thread
/// names itself; until then it has the name of the thread that started it.
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

/// How often the threads were scheduled out, which ends each wake-up.
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
fn the_threads_sleep_while_nothing_is_polled_and_wake_for_the_next_poll() {
    own_process(
        "idle::the_threads_sleep_while_nothing_is_polled_and_wake_for_the_next_poll",
        || {
            let router = Router::new().route("/", get(|| async {})).route(
                "/late",
                get(|| async { std::thread::sleep(Duration::from_millis(50)) }),
            );
            let server = Server::axum(RuntimeHealth::builder(), router);
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
                // Asleep: no wake-up within a second, in which the watchdog would tick 200 times.
                wait_for(DEADLINE, || {
                    let before = switches(&ours);
                    std::thread::sleep(Duration::from_secs(1));
                    switches(&ours) == before
                });
                // The next poll wakes the watchdog.
                let before = late();
                assert_eq!(support::get(server.addr(), "/late").status, 200);
                wait_for(DEADLINE, || late() > before);
            }
        },
    );
}
