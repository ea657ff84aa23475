//! What goes wrong around the capture of stuck threads, and what is then still
//! known of them.
//!
//! What changes a process is done in one of its own: a child that runs one
//! ignored test of this binary, or of a copy of it, and prints what was found.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::disallowed_methods, reason = "that law is for the library")]

mod support;

#[path = "capture_faults/child.rs"]
mod child;
#[path = "capture_faults/library.rs"]
mod library;
#[path = "capture_faults/refused.rs"]
mod refused;
#[path = "capture_faults/served.rs"]
mod served;
#[path = "capture_faults/threads.rs"]
mod threads;

use std::process::Command;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use child::{Copied, Seen};
use served::{found, known, serve};
use support::{DEADLINE, fire, wait_for};
use tower_runtime_health::Cause;

/// The handler that sleeps, with its line; nothing less, nothing else.
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

/// The address in the executable, which means something in the copy that was
/// not stripped.
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
fn a_stripped_binary_still_says_cause_and_address() {
    let copy = Copied::new("stripped");
    copy.strip();
    assert_address(&copy.run(&[], "child::sleeps"), &copy);
}

#[test]
fn a_stripped_binary_still_tells_block_in_place_from_blocking() {
    let copy = Copied::new("stripped-in-place");
    copy.strip();
    let seen = copy.run(&[], "child::sleeps_in_place");
    assert_eq!(seen.text("cause"), "block_in_place", "{seen:?}");
}

#[test]
fn a_stripped_binary_that_is_replaced_still_says_cause_and_address() {
    let copy = Copied::new("stripped-replaced");
    copy.strip();
    assert_address(&copy.run(&[], "child::is_replaced_and_sleeps"), &copy);
}

#[test]
fn a_stripped_binary_replaced_before_the_watchdog_starts_does_so_too() {
    let copy = Copied::new("stripped-early");
    copy.strip();
    assert_address(&copy.run(&[], "child::was_replaced_and_sleeps"), &copy);
}

#[test]
fn a_binary_replaced_while_it_runs_still_says_file_and_line() {
    let copy = Copied::new("replaced");
    let seen = copy.run(&[], "child::is_replaced_and_sleeps");
    assert_exact(&seen);
    assert!(!seen.json.to_string().contains("(deleted)"), "{seen:?}");
}

#[test]
fn a_binary_replaced_before_the_watchdog_starts_still_says_file_and_line() {
    let copy = Copied::new("replaced-early");
    let seen = copy.run(&[], "child::was_replaced_and_sleeps");
    assert_exact(&seen);
    assert!(!seen.json.to_string().contains("(deleted)"), "{seen:?}");
}

#[test]
fn nobody_sees_as_much_as_root() {
    let copy = Copied::new("nobody");
    let nobody = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    let is_root = child::is_root();
    if !is_root {
        eprintln!("not root, who alone can become nobody: run as the present user");
    }
    let seen = copy.run(if is_root { &nobody } else { &[] }, "child::sleeps");
    assert_exact(&seen);
}

#[test]
fn who_was_root_when_its_threads_began_sees_as_much_afterwards() {
    if !child::is_root() {
        eprintln!("not root: there is nothing to give up; run without");
    }
    assert_exact(&Copied::new("dropped").run(&[], "child::gives_up_root_and_sleeps"));
}

#[test]
fn a_full_table_of_descriptors_hides_nothing() {
    assert_exact(&child::run("child::fills_its_table_and_sleeps"));
}

#[test]
fn one_of_a_thousand_threads_is_found() {
    assert_exact(&child::run("threads::a_thousand_and_one_sleeps"));
}

#[test]
fn on_another_stack_the_cause_is_still_known_and_no_place_is_guessed() {
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
    // The same thread on its own stack again.
    let _client = fire(&server, "/asleep");
    let seen = found(server.health(), "/asleep", known);
    assert_eq!(seen.place.unwrap().line, Some(served::SLEEP_LINE));
}
