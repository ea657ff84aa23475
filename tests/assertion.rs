//! `assert_no_blocking` and its guard, as a user's test has them; and the
//! picture of where blocked time went.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use support::{DEADLINE, Server, serve_axum, wait_for};
use tower_runtime_health::RuntimeHealth;

async fn naps() {
    tokio::time::sleep(Duration::from_millis(1)).await;
    std::thread::sleep(Duration::from_millis(60));
}

fn server() -> Server {
    let router = Router::new().route("/naps", get(naps)).route(
        "/awaits",
        get(|| tokio::time::sleep(Duration::from_millis(60))),
    );
    Server::layered(RuntimeHealth::builder(), |listener, layer| {
        serve_axum(listener, router.layer(layer))
    })
}

/// What an assertion says, if it fails.
fn said(assertion: impl FnOnce()) -> Option<String> {
    let payload = catch_unwind(AssertUnwindSafe(assertion)).err()?;
    payload.downcast::<String>().ok().map(|text| *text)
}

/// Until a poll of this route was seen to block and to end.
fn wait_for_finding(server: &Server) {
    wait_for(DEADLINE, || {
        let findings = server.health().findings();
        findings.iter().any(|seen| {
            &*seen.route == "/naps"
                && seen.blames_handler()
                && seen.captured >= 1
                && seen.running == 0
        })
    });
}

#[test]
fn a_test_fails_with_the_findings_text() {
    let server = server();
    assert_eq!(support::get(server.addr(), "/awaits").status, 200);
    let innocent = said(|| server.health().assert_no_blocking());
    assert_eq!(innocent, None);

    // Until a stack was had: on a starved machine the first may come late.
    let mut requests = 0;
    wait_for(DEADLINE, || {
        requests += 1;
        support::get(server.addr(), "/naps");
        server
            .health()
            .findings()
            .iter()
            .any(|seen| seen.captured > 0)
    });
    wait_for_finding(&server);
    let text = said(|| server.health().assert_no_blocking()).unwrap();
    for part in [
        "1 kind(s) of blocking found",
        "GET /naps blocks the executor (cause sleep, phase poll)",
        "at   tests/assertion.rs:",
        "in assertion::naps",
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
        assert!(svg.body.contains(part), "{part:?} is not in the picture");
    }
}

#[test]
fn a_guard_looks_at_what_came_after_it() {
    let server = server();
    wait_for(DEADLINE, || {
        support::get(server.addr(), "/naps");
        server
            .health()
            .findings()
            .iter()
            .any(|seen| seen.captured > 0)
    });
    wait_for_finding(&server);

    let guard = server.health().forbid_blocking();
    support::get(server.addr(), "/awaits");
    assert_eq!(said(|| drop(guard)), None);

    // Right after the answer. A starved watchdog may have missed it.
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
