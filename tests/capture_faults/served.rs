//! A service with a handler that sleeps, and the findings about it.

use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use tower_runtime_health::{Builder, Cause, Confidence, Finding, RuntimeHealth};

use crate::support::{DEADLINE, Server};

/// Long enough for a starved watchdog, and shorter than the shutdown of a failed test's server may
/// take.
pub(crate) const NAP: Duration = Duration::from_secs(6);

/// Where [`asleep`] sleeps.
pub(crate) const SLEEP_LINE: u32 = line!() + 3;
#[inline(never)]
pub(crate) fn asleep() {
    std::thread::sleep(NAP);
    // Without this, the call is a tail call, and this function has no frame.
    std::hint::black_box(NAP);
}

/// Captures the stack of every poll, so that a late capture is followed by another.
pub(crate) fn options() -> Builder {
    RuntimeHealth::builder()
        .captures_per_second(1_000)
        .capture_interval(Duration::ZERO)
}

/// Serves `router`, and `/asleep` and `/nap`.
pub(crate) fn serve(router: Router) -> Server {
    let nap = || async { std::thread::sleep(Duration::from_millis(50)) };
    let router = router
        .route("/asleep", get(|| async { asleep() }))
        .route("/nap", get(nap));
    Server::axum(options(), router)
}

/// Whether the finding is exact and has a place.
pub(crate) fn known(finding: &Finding) -> bool {
    finding.cause == Cause::Sleep
        && finding.confidence == Some(Confidence::Exact)
        && finding.place.is_some()
}

/// Waits for a finding of this route that satisfies `good`.
#[track_caller]
pub(crate) fn found(
    health: &RuntimeHealth,
    route: &str,
    good: impl Fn(&Finding) -> bool,
) -> Finding {
    let started = Instant::now();
    loop {
        let findings = health.findings();
        let of_route = |finding: &&Finding| &*finding.route == route;
        if let Some(found) = findings
            .iter()
            .filter(of_route)
            .find(|finding| good(finding))
        {
            return found.clone();
        }
        assert!(
            started.elapsed() < DEADLINE,
            "not found in {findings:#?}\n{}",
            health
                .render()
                .lines()
                .filter(|line| line.contains("capture"))
                .collect::<Vec<_>>()
                .join("\n")
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Requests `path`, which sleeps for a while, until its finding is exact. The watchdog may still be
/// reading symbols, or may be starved.
#[track_caller]
pub(crate) fn found_in_time(server: &Server, path: &str) -> Finding {
    let started = Instant::now();
    while started.elapsed() < DEADLINE {
        let reply = crate::support::get(server.addr(), path);
        assert_eq!(reply.status, 200, "{}", reply.body);
        let findings = server.health().findings();
        let mut of_route = findings.iter().filter(|finding| &*finding.route == path);
        if let Some(found) = of_route.find(|finding| known(finding)) {
            return found.clone();
        }
    }
    found(server.health(), path, known)
}

/// Waits until the watchdog has its list of libraries and the symbols.
#[track_caller]
pub(crate) fn ready(server: &Server) {
    found_in_time(server, "/nap");
}
