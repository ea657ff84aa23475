//! What the children do. Each ends by printing a finding.
#![allow(
    unsafe_code,
    reason = "gives up root, as a service does that has bound its port"
)]

use std::process::Command;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::sync::Notify;
use tower_runtime_health::Cause;

use crate::child::{is_child, is_root, print};
use crate::served::{asleep, found, known, ready, serve};
use crate::support::{DEADLINE, fire, wait_for};

fn sleep_and_print() -> ! {
    let server = serve(Router::new());
    let _client = fire(&server, "/asleep");
    print(&found(server.health(), "/asleep", known))
}

/// Replaces the executable on disk, as a deployment does.
fn replace_executable() {
    let own = std::env::current_exe().unwrap();
    let next = own.with_extension("next");
    std::fs::write(&next, "#!/bin/sh\nexit 0\n").unwrap();
    std::fs::rename(next, own).unwrap();
}

#[test]
#[ignore = "for a process of its own"]
fn sleeps() {
    if is_child() {
        sleep_and_print();
    }
}

/// The watchdog learns only after a while that a thread is a worker.
#[test]
#[ignore = "for a process of its own"]
fn sleeps_in_place() {
    if !is_child() {
        return;
    }
    let nap = || std::thread::sleep(Duration::from_millis(60));
    let router = Router::new().route(
        "/in-place",
        get(move || async move { tokio::task::block_in_place(nap) }),
    );
    let server = serve(router);
    let seen = |cause| -> u64 {
        let findings = server.health().findings().into_iter();
        let of =
            findings.filter(|finding| &*finding.route == "/in-place" && finding.cause == cause);
        of.map(|finding| finding.polls).sum()
    };
    wait_for(DEADLINE, || {
        let reply = crate::support::get(server.addr(), "/in-place");
        assert_eq!(reply.status, 200);
        seen(Cause::BlockInPlace) >= 10
    });
    // A handler that really blocks a worker is still reported.
    found(server.health(), "/in-place", |finding| {
        finding.cause == Cause::BlockInPlace
    });
    let _client = fire(&server, "/asleep");
    found(server.health(), "/asleep", |finding| {
        finding.cause == Cause::Sleep
    });
    print(&found(server.health(), "/in-place", |finding| {
        finding.cause == Cause::BlockInPlace
    }))
}

#[test]
#[ignore = "for a process of its own"]
fn was_replaced_and_sleeps() {
    if is_child() {
        replace_executable();
        sleep_and_print();
    }
}

#[test]
#[ignore = "for a process of its own"]
fn is_replaced_and_sleeps() {
    if !is_child() {
        return;
    }
    let router = Router::new().route("/before", get(|| async { asleep() }));
    let server = serve(router);
    let _before = fire(&server, "/before");
    found(server.health(), "/before", known);
    replace_executable();
    let _client = fire(&server, "/asleep");
    print(&found(server.health(), "/asleep", known))
}

#[test]
#[ignore = "for a process of its own"]
fn gives_up_root_and_sleeps() {
    if !is_child() {
        return;
    }
    // Makes both workers block, so that the watchdog inspects both while the process is root.
    let meet = Arc::new(Barrier::new(2));
    let router = Router::new().route(
        "/both",
        get(move || async move {
            meet.wait();
            std::thread::sleep(Duration::from_secs(3));
        }),
    );
    let server = serve(router);
    ready(&server);
    let before = [fire(&server, "/both"), fire(&server, "/both")];
    found(server.health(), "/both", |finding| finding.running == 2);
    for mut client in before {
        crate::support::read_to_close(&mut client);
    }
    if is_root() {
        const NOBODY: libc::uid_t = 65534;
        // SAFETY: takes three numbers. The C library changes the ids of all threads.
        let result = unsafe { libc::setresuid(NOBODY, NOBODY, NOBODY) };
        assert_eq!(result, 0);
    }
    let _client = fire(&server, "/asleep");
    print(&found(server.health(), "/asleep", known))
}

#[test]
#[ignore = "for a process of its own"]
fn fills_its_table_and_sleeps() {
    if !is_child() {
        return;
    }
    let full = Arc::new(Notify::new());
    let is_full = Arc::clone(&full);
    let router = Router::new().route(
        "/late",
        get(move || async move {
            is_full.notified().await;
            asleep();
        }),
    );
    let server = serve(router);
    let limited = Command::new("prlimit")
        .args(["--nofile=256:256", "--pid", &std::process::id().to_string()])
        .status()
        .expect("prlimit, of util-linux");
    assert!(limited.success());
    // Connects before the table is full, and blocks after that.
    let _client = fire(&server, "/late");
    let in_flight = || {
        server
            .metrics()
            .sum("runtime_health_requests_in_flight", &[])
    };
    wait_for(DEADLINE, || in_flight() == 1.0);
    // Called repeatedly, because the exporter may close its last connection late.
    let fill = || {
        while let Ok(file) = std::fs::File::open("/dev/null") {
            std::mem::forget(file);
        }
    };
    fill();
    full.notify_one();
    let finding = found(server.health(), "/late", |finding| {
        fill();
        known(finding)
    });
    print(&finding)
}
