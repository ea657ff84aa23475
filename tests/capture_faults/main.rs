//! What findings still show if something hinders the capture of stuck threads: a stripped or
//! replaced executable, a loss of privileges, seccomp, many threads, libraries that are unloaded.
//!
//! This is a binary of its own because its tests strip, replace and copy their executable, which
//! is therefore small, and read the symbols of its few handlers. What changes a process runs in a
//! child: this binary or a copy of it, started again for one of the ignored tests.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(
    clippy::disallowed_methods,
    reason = "a test may read the clock and start threads"
)]

mod child;
mod library;
mod refused;
mod scenarios;
mod served;
#[path = "../support/mod.rs"]
mod support;
mod threads;

use std::process::Command;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use child::{Copied, Seen};
use served::{found, known, serve};
use support::{DEADLINE, fire, wait_for};
use tower_runtime_health::Cause;

/// Asserts that the finding is exact: the handler that sleeps, with its line.
#[track_caller]
fn assert_exact(seen: &Seen) {
    assert_eq!(seen.text("cause"), "sleep", "{seen:?}");
    assert_eq!(seen.text("confidence"), "exact", "{seen:?}");
    assert!(
        seen.place_text("function").ends_with("served::asleep"),
        "{seen:?}"
    );
    assert!(
        seen.place_text("file")
            .ends_with("tests/capture_faults/served.rs"),
        "{seen:?}"
    );
    assert_eq!(
        seen.place()["line"].as_u64(),
        Some(u64::from(served::SLEEP_LINE)),
        "{seen:?}"
    );
}

/// Asserts that the finding has the address in the executable, and that this executable, which is
/// not stripped, has the right function there.
#[track_caller]
fn assert_address(seen: &Seen, copy: &Copied) {
    assert_eq!(seen.text("cause"), "sleep", "{seen:?}");
    assert_eq!(seen.text("confidence"), "exact", "{seen:?}");
    assert!(seen.place()["function"].is_null(), "{seen:?}");
    assert!(seen.place()["line"].is_null(), "{seen:?}");
    assert_eq!(seen.place_text("module"), copy.file_name(), "{seen:?}");
    let offset = seen.place_text("offset");
    let shown = format!("{}+{offset}", copy.file_name());
    assert!(seen.display.contains(&shown), "{seen:?}");
    if let Some(id) = seen.place()["build_id"].as_str() {
        assert!(seen.display.contains(&format!("{shown} (build id {id})")));
    }
    let name = Command::new("addr2line")
        .args(["-f", "-C", "-e"])
        .arg(std::env::current_exe().unwrap())
        .arg(offset)
        .output()
        .expect("addr2line, of binutils");
    let name = String::from_utf8(name.stdout).unwrap();
    assert!(name.contains("sleep"), "{offset} is {name:?}");
}

#[test]
fn of_a_stripped_binary_cause_and_address_are_reported() {
    let copy = Copied::new("stripped");
    copy.strip();
    assert_address(&copy.run(&[], "scenarios::sleeps"), &copy);
}

#[test]
fn in_a_stripped_binary_block_in_place_is_told_from_blocking() {
    let copy = Copied::new("stripped-in-place");
    copy.strip();
    let seen = copy.run(&[], "scenarios::sleeps_in_place");
    assert_eq!(seen.text("cause"), "block_in_place", "{seen:?}");
}

#[test]
fn of_a_stripped_binary_replaced_while_it_runs_cause_and_address_are_reported() {
    let copy = Copied::new("stripped-replaced");
    copy.strip();
    assert_address(&copy.run(&[], "scenarios::is_replaced_and_sleeps"), &copy);
}

#[test]
fn of_a_stripped_binary_replaced_before_the_watchdog_starts_cause_and_address_are_reported() {
    let copy = Copied::new("stripped-early");
    copy.strip();
    assert_address(&copy.run(&[], "scenarios::was_replaced_and_sleeps"), &copy);
}

#[test]
fn of_a_binary_replaced_while_it_runs_file_and_line_are_reported() {
    let copy = Copied::new("replaced");
    let seen = copy.run(&[], "scenarios::is_replaced_and_sleeps");
    assert_exact(&seen);
    assert!(!seen.json.to_string().contains("(deleted)"), "{seen:?}");
}

#[test]
fn of_a_binary_replaced_before_the_watchdog_starts_file_and_line_are_reported() {
    let copy = Copied::new("replaced-early");
    let seen = copy.run(&[], "scenarios::was_replaced_and_sleeps");
    assert_exact(&seen);
    assert!(!seen.json.to_string().contains("(deleted)"), "{seen:?}");
}

#[test]
fn an_unprivileged_user_gets_the_same_finding_as_root() {
    let copy = Copied::new("nobody");
    let nobody = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    let is_root = child::is_root();
    if !is_root {
        eprintln!("not root: run as the present user, since only root can become another");
    }
    let seen = copy.run(if is_root { &nobody } else { &[] }, "scenarios::sleeps");
    assert_exact(&seen);
}

#[test]
fn a_process_that_gives_up_root_gets_the_same_finding_afterwards() {
    if !child::is_root() {
        eprintln!("not root: run without giving up privileges");
    }
    assert_exact(&Copied::new("dropped").run(&[], "scenarios::gives_up_root_and_sleeps"));
}

#[test]
fn with_a_full_descriptor_table_the_finding_is_the_same() {
    assert_exact(&child::run("scenarios::fills_its_table_and_sleeps"));
}

#[test]
fn the_one_stuck_thread_of_a_thousand_is_found() {
    assert_exact(&child::run("threads::a_thousand_and_one_sleeps"));
}

#[test]
fn on_another_stack_the_cause_is_reported_and_no_place_is_guessed() {
    let router = Router::new().route(
        "/grown",
        get(|| async { stacker::grow(4 << 20, || std::thread::sleep(Duration::from_secs(2))) }),
    );
    let server = serve(router);
    let client = fire(&server, "/grown");
    let seen = found(server.health(), "/grown", |finding| {
        finding.cause == Cause::Sleep
    });
    assert_eq!(seen.place, None, "{seen}");
    assert!(seen.stack.is_empty(), "{seen}");
    let unreadable = [("result", "unreadable")];
    wait_for(DEADLINE, || {
        let page = server.metrics();
        page.sum("runtime_health_captures_total", &unreadable) > 0.0
    });
    drop(client);
    // On the thread's own stack, the place is reported again.
    let _client = fire(&server, "/asleep");
    let seen = found(server.health(), "/asleep", known);
    assert_eq!(seen.place.unwrap().line, Some(served::SLEEP_LINE));
}
