//! What the watchdog reports, and when.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use http_body::Frame;
use tower_runtime_health::{Cause, Finding, Phase, RuntimeHealth};

use crate::gate::Gate;
use crate::isolation::exclusive;
use crate::log;
use crate::support::{self, DEADLINE, Server, fire, wait_for};

fn finding(server: &Server, route: &str) -> Option<Finding> {
    server
        .health()
        .findings()
        .into_iter()
        .find(|finding| &*finding.route == route)
}

fn logged(route: &str) -> Vec<String> {
    log::lines(&[&format!("route=\"{route}\"")])
}

#[test]
fn a_blocking_poll_is_reported_while_it_runs_and_counted_when_it_ends() {
    let _exclusive = exclusive();
    log::collect();
    let gate = Gate::default();
    let opened = gate.clone();
    let router = Router::new().route(
        "/gate/{id}",
        get(move || async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            gate.wait();
        }),
    );
    let options = RuntimeHealth::builder().log_interval(Duration::ZERO);
    let server = Server::axum(options, router);
    let client = fire(&server, "/gate/7");

    let route = [("route", "/gate/{id}")];
    let stalled = |metrics: &support::Metrics| {
        (
            metrics.value("runtime_health_stalled_polls", &route),
            metrics.value("runtime_health_longest_stall_seconds", &[]),
        )
    };
    // The stall is longer than any other poll of this request can become on a starved machine.
    wait_for(DEADLINE, || {
        let (polls, longest) = stalled(&server.metrics());
        polls == Some(1.0) && longest > Some(0.2)
    });
    // On a starved machine, other polls of the request can be long, too. They have another cause.
    let gate = || {
        let findings = server.health().findings();
        let mut locks = findings
            .into_iter()
            .filter(|seen| seen.cause == Cause::Lock);
        locks.find(|seen| &*seen.route == "/gate/{id}")
    };
    wait_for(DEADLINE, || gate().is_some_and(|seen| seen.running == 1));
    let seen = gate().unwrap();
    assert_eq!((seen.running, seen.method), (1, "GET"));
    assert_eq!(seen.phase, Phase::Poll);
    assert_eq!(&*seen.thread, "tokio-rt-worker");
    assert!(seen.longest >= Duration::from_millis(10));
    let parts = [
        " WARN ",
        "a handler blocks the executor",
        "method=\"GET\"",
        "cause=\"lock\"",
        "confidence=\"exact\"",
        "phase=\"poll\"",
        "still_running=true",
        "thread=\"tokio-rt-worker\"",
        "elapsed_ms=",
    ];
    wait_for(DEADLINE, || {
        let events = logged("/gate/{id}");
        events
            .iter()
            .any(|event| parts.iter().all(|part| event.contains(part)))
    });
    let labels = [
        ("route", "/gate/{id}"),
        ("method", "GET"),
        ("cause", "lock"),
    ];
    let name = "runtime_health_blocking_polls_total";
    assert_eq!(server.metrics().value(name, &labels), None, "not ended yet");

    opened.open();
    let metrics = support::settled(&server, 1);
    assert_eq!(metrics.value(name, &labels), Some(1.0));
    wait_for(DEADLINE, || {
        gate().is_some_and(|seen| (seen.polls, seen.running) == (1, 0))
    });
    let seen = gate().unwrap();
    let seconds = metrics
        .value("runtime_health_blocking_seconds_total", &labels)
        .unwrap();
    assert!(
        (seen.total.as_secs_f64() - seconds).abs() < 1e-6,
        "{seen} but {seconds} s"
    );
    assert_eq!(stalled(&metrics), (Some(0.0), Some(0.0)));
    drop(client);
}

#[test]
fn findings_and_counters_agree_on_polls_that_ended_before_the_watchdog_looked() {
    let _exclusive = exclusive();
    log::collect();
    let router = Router::new().route(
        "/short",
        get(|| async { std::thread::sleep(Duration::from_millis(2)) }),
    );
    let server = Server::axum(
        RuntimeHealth::builder().threshold(Duration::from_millis(1)),
        router,
    );
    for _ in 0..40 {
        assert_eq!(support::get(server.addr(), "/short").status, 200);
    }
    // A poll that the watchdog did not look at is counted when its cause is known. On a starved
    // machine there are more than 40.
    wait_for(DEADLINE, || {
        let metrics = support::settled(&server, 40);
        let counted = metrics.sum("runtime_health_blocking_polls_total", &[]);
        // While the watchdog reads symbols, the notes of ended polls can overflow.
        let lost = metrics.sum("runtime_health_findings_dropped_total", &[]);
        let findings = server.health().findings();
        let polls: u64 = findings.iter().map(|seen| seen.polls).sum();
        let is_over = findings.iter().all(|seen| seen.running == 0);
        counted >= 40.0 && polls as f64 + lost == counted && is_over
    });
    // Each cause is a finding of its own. A finding is logged again once its place is known.
    let (events, findings) = (logged("/short").len(), server.health().findings().len());
    let limit = 1..=2 * findings;
    assert!(limit.contains(&events), "limited to one event a minute");
}

/// A body whose first poll blocks.
struct BlockingBody(Option<Gate>);

impl http_body::Body for BlockingBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|gate| {
            gate.wait();
            Ok(Frame::data(Bytes::from_static(b"late")))
        }))
    }
}

#[test]
fn a_body_that_blocks_is_reported_with_phase_body() {
    let _exclusive = exclusive();
    let gate = Gate::default();
    let opened = gate.clone();
    let body = move || async move { Body::new(BlockingBody(Some(gate))) };
    let server = Server::axum(
        RuntimeHealth::builder(),
        Router::new().route("/body", get(body)),
    );
    let client = fire(&server, "/body");
    wait_for(DEADLINE, || {
        finding(&server, "/body").is_some_and(|seen| seen.running == 1 && seen.phase == Phase::Body)
    });
    opened.open();
    wait_for(DEADLINE, || {
        finding(&server, "/body").is_some_and(|seen| seen.running == 0)
    });
    drop(client);
}

#[test]
fn a_service_that_blocks_before_it_returns_a_future_is_reported_with_phase_call() {
    let _exclusive = exclusive();
    let gate = Gate::default();
    let opened = gate.clone();
    let router = Router::new().route("/call", get(|| async {}));
    let blocking = tower::util::MapRequest::new(router, move |request: http::Request<_>| {
        gate.wait();
        request.map(Body::new)
    });
    let server = Server::layered(RuntimeHealth::builder(), |listener, layer| {
        let layer = layer.route_by(|head| Some(head.uri().path().to_owned().into()));
        support::serve_hyper(listener, tower::Layer::layer(&layer, blocking))
    });
    let client = fire(&server, "/call");
    wait_for(DEADLINE, || {
        finding(&server, "/call").is_some_and(|seen| seen.running == 1 && seen.phase == Phase::Call)
    });
    opened.open();
    wait_for(DEADLINE, || {
        finding(&server, "/call").is_some_and(|seen| seen.running == 0)
    });
    drop(client);
}
