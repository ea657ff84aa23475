//! `assert_no_blocking` and its guard, as a user's test calls them, and the flame graph.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tower_runtime_health::{Finding, RuntimeHealth};

use crate::isolation::exclusive;
use crate::support::{self, DEADLINE, Server, wait_for};

async fn naps() {
    tokio::time::sleep(Duration::from_millis(1)).await;
    std::thread::sleep(Duration::from_millis(60));
}

fn server() -> Server {
    let router = Router::new().route("/naps", get(naps)).route(
        "/awaits",
        get(|| tokio::time::sleep(Duration::from_millis(60))),
    );
    Server::axum(RuntimeHealth::builder(), router)
}

/// Returns the message of an assertion that fails.
fn said(assertion: impl FnOnce()) -> Option<String> {
    let payload = catch_unwind(AssertUnwindSafe(assertion)).err()?;
    payload.downcast::<String>().ok().map(|text| *text)
}

/// Sends requests until one poll was found with its stack, and has ended. On a starved machine
/// the first stack can come late.
fn nap_until_found(server: &Server) {
    let found = |is: fn(&Finding) -> bool| {
        let findings = server.health().findings();
        let mut naps = findings.iter().filter(|seen| &*seen.route == "/naps");
        naps.any(|seen| seen.blames_handler() && seen.captured >= 1 && is(seen))
    };
    wait_for(DEADLINE, || {
        support::get(server.addr(), "/naps");
        found(|_| true)
    });
    wait_for(DEADLINE, || found(|seen| seen.running == 0));
}

#[test]
fn a_failed_assertion_shows_the_finding_and_so_does_the_flame_graph() {
    let _exclusive = exclusive();
    let server = server();
    assert_eq!(support::get(server.addr(), "/awaits").status, 200);
    let innocent = said(|| server.health().assert_no_blocking());
    assert_eq!(innocent, None);

    nap_until_found(&server);
    let text = said(|| server.health().assert_no_blocking()).unwrap();
    for part in [
        "1 blocking finding:",
        "GET /naps blocks the executor (cause sleep, phase poll)",
        concat!("at   ", file!(), ":"),
        concat!("in ", module_path!(), "::naps"),
        "tokio::time::sleep",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }

    let svg = support::get(
        server.health().metrics_addr().unwrap(),
        "/findings/flamegraph.svg",
    );
    assert_eq!(svg.status, 200);
    assert!(
        svg.head
            .to_lowercase()
            .contains("content-type: image/svg+xml"),
        "{}",
        svg.head
    );
    for part in ["GET /naps", "sleep", "assertion::naps", "</svg>"] {
        assert!(
            svg.body.contains(part),
            "{part:?} is not in the flame graph"
        );
    }
}

#[test]
fn a_guard_checks_only_what_came_after_it() {
    let _exclusive = exclusive();
    let server = server();
    nap_until_found(&server);

    let guard = server.health().forbid_blocking();
    support::get(server.addr(), "/awaits");
    assert_eq!(said(|| drop(guard)), None);

    // The guard is dropped right after the answer. A starved watchdog may have missed the poll.
    let mut text = None;
    wait_for(DEADLINE, || {
        let guard = server.health().forbid_blocking();
        support::get(server.addr(), "/naps");
        text = said(|| drop(guard));
        text.is_some()
    });
    let text = text.unwrap();
    assert!(text.contains("GET /naps blocks the executor"), "{text}");
}
