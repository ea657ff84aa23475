//! The watchdog sleeps while nothing is polled. A test binary of its own: it
//! looks for the one watchdog of the process.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use support::{DEADLINE, Server, serve_axum, wait_for};
use tower_runtime_health::RuntimeHealth;

/// The folder of the watchdog's thread. A thread names itself, so it may take
/// a while until it is found.
fn watchdog() -> Option<std::path::PathBuf> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    tasks.map(|task| task.unwrap().path()).find(|task| {
        fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "health-watchdog")
    })
}

/// How often a thread was scheduled out: each is a wake-up that has ended.
fn switches(task: &std::path::Path) -> u64 {
    let status = fs::read_to_string(task.join("status")).unwrap();
    let counts = status.lines().filter(|line| line.contains("ctxt_switches"));
    counts
        .map(|line| {
            line.split_whitespace()
                .last()
                .unwrap()
                .parse::<u64>()
                .unwrap()
        })
        .sum()
}

#[test]
fn the_watchdog_does_not_wake_while_nothing_is_polled() {
    let router = Router::new().route("/", get(|| async {})).route(
        "/late",
        get(|| async { std::thread::sleep(Duration::from_millis(50)) }),
    );
    let server = Server::layered(RuntimeHealth::builder(), |listener, layer| {
        serve_axum(listener, router.layer(layer))
    });
    wait_for(DEADLINE, || watchdog().is_some());
    let watchdog = watchdog().unwrap();
    let late = || -> u64 {
        let findings = server.health().findings();
        let late = findings.iter().filter(|finding| &*finding.route == "/late");
        late.map(|finding| finding.polls).sum()
    };
    for _ in 0..3 {
        assert_eq!(support::get(server.addr(), "/").status, 200);
        // Asleep: no wake-up in a whole second, in which it would tick 200 times.
        wait_for(DEADLINE, || {
            let before = switches(&watchdog);
            std::thread::sleep(Duration::from_secs(1));
            switches(&watchdog) == before
        });
        // And it wakes for the next poll.
        let before = late();
        assert_eq!(support::get(server.addr(), "/late").status, 200);
        wait_for(DEADLINE, || late() > before);
    }
}
