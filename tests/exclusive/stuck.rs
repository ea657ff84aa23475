//! The exporter while every worker is stuck.
#![allow(clippy::disallowed_methods, reason = "a test may read the clock")]

use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use tower_runtime_health::RuntimeHealth;

use crate::isolation::exclusive;
use crate::support::{self, DEADLINE, Server, connect, wait_for};

#[test]
fn the_exporter_answers_within_50_ms_while_every_worker_is_stuck() {
    let _exclusive = exclusive();
    let router = Router::new().route(
        "/stuck",
        get(|| async { std::thread::sleep(Duration::from_secs(6)) }),
    );
    let server = Server::axum(RuntimeHealth::builder(), router);
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let mut stream = connect(server.addr());
            std::io::Write::write_all(&mut stream, b"GET /stuck HTTP/1.1\r\nhost: x\r\n\r\n")
                .unwrap();
            stream
        })
        .collect();
    let stalled = || {
        server
            .metrics()
            .value("runtime_health_stalled_polls", &[("route", "/stuck")])
    };
    wait_for(DEADLINE, || stalled() == Some(2.0));

    let mut answered: Vec<_> = (0..15)
        .map(|_| {
            let started = Instant::now();
            let metrics = server.metrics();
            let took = started.elapsed();
            let longest = metrics
                .value("runtime_health_longest_stall_seconds", &[])
                .unwrap();
            assert!(longest > 0.01, "no stall shown: {longest}");
            took
        })
        .collect();
    assert_eq!(stalled(), Some(2.0), "the workers were no longer stuck");
    answered.sort();
    let median = answered[answered.len() / 2];
    assert!(
        median < Duration::from_millis(50),
        "answered in {answered:?}"
    );

    // By then the watchdog has read the process's symbols.
    wait_for(DEADLINE, || {
        let findings = server.health().findings();
        findings.first().is_some_and(|seen| seen.running == 2)
    });
    let findings = support::get(server.health().metrics_addr().unwrap(), "/findings");
    let json: serde_json::Value = serde_json::from_str(&findings.body).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["stalls"][0]["route"], "/stuck");
    assert!(json["stalls"][0]["elapsed_seconds"].as_f64().unwrap() > 0.01);
    assert_eq!(json["findings"][0]["route"], "/stuck");
    assert_eq!(json["findings"][0]["running"], 2);
    drop(clients);
}
