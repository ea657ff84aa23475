//! Many threads, and threads that end.

use std::pin::pin;
use std::sync::mpsc::sync_channel;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use tower::ServiceExt;
use tower_runtime_health::{Cause, RuntimeHealth};

use crate::child;
use crate::served::{asleep, found, known, options};
use crate::support::{DEADLINE, LOOPBACK, scrape, wait_for};

fn start() -> (tokio::runtime::Runtime, RuntimeHealth) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let options = options().serve_metrics(LOOPBACK);
    let health = options
        .observe_runtime(runtime.handle(), "main")
        .start()
        .unwrap();
    (runtime, health)
}

/// Polls a request on this thread, which may belong to no runtime.
fn request(service: &Router, path: &str) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let mut answer = pin!(service.clone().oneshot(request));
    let mut cx = Context::from_waker(Waker::noop());
    let response = loop {
        match answer.as_mut().poll(&mut cx) {
            Poll::Ready(response) => break response.unwrap(),
            Poll::Pending => std::thread::yield_now(),
        }
    };
    assert_eq!(response.status(), StatusCode::OK);
}

#[test]
fn threads_that_end_while_they_are_inspected_do_no_harm() {
    const AT_ONCE: u64 = 8;
    const ROUNDS: u64 = 40;
    let (_runtime, health) = start();
    let short = || async { std::thread::sleep(Duration::from_millis(15)) };
    let service = Router::new()
        .route("/short", get(short))
        .route("/before", get(|| async { asleep() }))
        .route("/asleep", get(|| async { asleep() }))
        .layer(health.layer());
    // Waits until the watchdog has read the symbols.
    let sleeper = service.clone();
    std::thread::spawn(move || request(&sleeper, "/before"));
    found(&health, "/before", known);
    for round in 0..ROUNDS {
        std::thread::scope(|scope| {
            for index in 0..AT_ONCE {
                let service = &service;
                scope.spawn(move || {
                    if (round + index) % 2 == 0 {
                        return request(service, "/short");
                    }
                    let runtime = tokio::runtime::Builder::new_current_thread();
                    let runtime = { runtime }.build().unwrap();
                    runtime.block_on(async { request(service, "/short") });
                });
            }
        });
    }
    let page = || scrape(health.metrics_addr().unwrap());
    let captures = |result: &str| {
        let labels = [("result", result)];
        page().sum("runtime_health_captures_total", &labels)
    };
    let of_short = || -> Vec<_> {
        let findings = health.findings().into_iter();
        let short = findings.filter(|finding| &*finding.route == "/short");
        short.collect()
    };
    // All polls end, and each is in a finding or counted as lost.
    wait_for(DEADLINE, || {
        let findings = of_short();
        let polls: u64 = findings.iter().map(|finding| finding.polls).sum();
        let lost = page().sum("runtime_health_findings_dropped_total", &[]);
        findings.iter().all(|finding| finding.running == 0)
            && polls as f64 + lost >= (AT_ONCE * ROUNDS) as f64
    });
    assert_eq!(captures("panicked"), 0.0);
    let findings = of_short();
    let polls: u64 = findings.iter().map(|finding| finding.polls).sum();
    // Each poll slept for longer than the threshold.
    let lost = page().sum("runtime_health_findings_dropped_total", &[]);
    assert!(
        polls <= AT_ONCE * ROUNDS && polls as f64 + lost >= (AT_ONCE * ROUNDS) as f64,
        "{polls} polls, {lost} lost: {findings:#?}"
    );
    for finding in &findings {
        assert!(finding.captured <= finding.polls, "{finding}");
        assert!(finding.longest <= finding.total, "{finding}");
        if finding.cause == Cause::Sleep
            && let Some(place) = &finding.place
        {
            let file = place.file.as_deref().unwrap_or_default();
            assert!(file.ends_with("capture_faults/threads.rs"), "{finding}");
        }
    }
    let sleeps = |cause| findings.iter().any(|finding| finding.cause == cause);
    assert!(sleeps(Cause::Sleep), "{findings:#?}");

    // Later threads are inspected as before.
    std::thread::spawn(move || request(&service, "/asleep"));
    found(&health, "/asleep", known);
}

#[test]
#[ignore = "for a process of its own"]
fn a_thousand_and_one_sleeps() {
    if !child::is_child() {
        return;
    }
    let (_runtime, health) = start();
    let service = Router::new()
        .route("/quick", get(|| async {}))
        .route("/asleep", get(|| async { asleep() }))
        .layer(health.layer());
    let (tell, told) = sync_channel(1_000);
    let mut gates = Vec::new();
    for _ in 0..1_000 {
        let (open, gate) = sync_channel::<()>(1);
        gates.push(open);
        let (tell, service) = (tell.clone(), service.clone());
        std::thread::Builder::new()
            .stack_size(512 << 10)
            .spawn(move || {
                request(&service, "/quick");
                tell.send(()).unwrap();
                if gate.recv().is_ok() {
                    request(&service, "/asleep");
                }
            })
            .unwrap();
    }
    for _ in 0..1_000 {
        told.recv_timeout(DEADLINE).unwrap();
    }
    gates[777].send(()).unwrap();
    child::print(&found(&health, "/asleep", known))
}
