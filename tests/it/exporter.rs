//! The exporter over real sockets: pages, encodings, limits, malformed requests.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tower_runtime_health::{Detail, Family, RuntimeHealth};

use crate::support::{self, Metrics, Server, connect, exchange};

fn server(options: tower_runtime_health::Builder) -> Server {
    let router = Router::new()
        .route(
            "/users/{id}",
            get(|| async { "user" }).post(|| async { "made" }),
        )
        .route(
            "/pool",
            get(|| async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                tower_runtime_health::spawn_blocking(|| ()).await.unwrap();
            }),
        );
    let server = Server::axum(options, router);
    for path in ["/users/1", "/users/2", "/pool", "/nowhere"] {
        support::get(server.addr(), path);
    }
    support::settled(&server, 4);
    server
}

fn exporter(server: &Server) -> SocketAddr {
    server.health().metrics_addr().unwrap()
}

fn answer(server: &Server, request: &str) -> (String, Vec<u8>) {
    let answer = exchange(exporter(server), request.as_bytes());
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    (
        String::from_utf8(answer[..end].to_vec()).unwrap(),
        answer[end..].to_vec(),
    )
}

#[test]
fn the_metrics_page_is_prometheus_text_and_compressed_on_request() {
    let server = server(RuntimeHealth::builder());
    let (head, plain) = answer(&server, "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(
        head.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"),
        "{head}"
    );
    assert!(!head.contains("content-encoding"), "{head}");

    let request = "GET /metrics HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\n\r\n";
    let (head, packed) = answer(&server, request);
    assert!(head.contains("content-encoding: gzip\r\n"), "{head}");
    assert!(
        head.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"),
        "{head}"
    );
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_string(&mut unpacked)
        .unwrap();
    assert!(packed.len() * 3 < unpacked.len());
    let seen = Metrics::parse(&unpacked).sum("runtime_health_requests_total", &[]);
    assert_eq!(
        seen,
        Metrics::parse(&String::from_utf8(plain).unwrap())
            .sum("runtime_health_requests_total", &[])
    );
}

#[test]
fn other_pages_paths_and_methods_get_the_right_status_and_type() {
    let server = server(RuntimeHealth::builder());
    let (head, index) = answer(&server, "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(head.contains("text/html"), "{head}");
    for link in ["href=\"/metrics\"", "href=\"/findings\""] {
        assert!(String::from_utf8_lossy(&index).contains(link), "no {link}");
    }
    let (head, findings) = answer(&server, "GET /findings HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(head.contains("application/json"), "{head}");
    let findings: serde_json::Value = serde_json::from_slice(&findings).unwrap();
    assert_eq!(findings["version"], 1);
    assert!(findings["findings"].is_array() && findings["stalls"].is_array());

    let (head, body) = answer(&server, "HEAD /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(
        head.starts_with("HTTP/1.1 200 ") && body.is_empty(),
        "{head}"
    );
    let (head, _) = answer(&server, "GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    let (head, _) = answer(&server, "DELETE /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(
        head.starts_with("HTTP/1.1 405 ") && head.contains("allow: GET, HEAD"),
        "{head}"
    );
}

#[test]
fn malformed_requests_get_a_4xx_and_the_exporter_still_answers() {
    let server = server(RuntimeHealth::builder());
    let (head, _) = answer(&server, "NOT HTTP\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    let huge = format!(
        "GET /metrics HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
        "y".repeat(64 * 1024)
    );
    let (head, _) = answer(&server, &huge);
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
    assert_eq!(server.metrics().sum("runtime_health_build_info", &[]), 1.0);
}

#[test]
fn silent_clients_are_limited_in_number_and_time() {
    let server = server(RuntimeHealth::builder());
    // More connections than the limit, each with half a request.
    let mut silent: Vec<_> = (0..40)
        .map(|_| {
            let mut stream = connect(exporter(&server));
            let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nhost:");
            stream
        })
        .collect();
    // They time out, and new connections are accepted again.
    for stream in &mut silent {
        support::read_to_close(stream);
    }
    let metrics = server.metrics();
    let refused = metrics.value("runtime_health_exporter_connections_refused_total", &[]);
    assert!(refused >= Some(1.0), "{refused:?}");
}

#[test]
fn detail_decides_what_is_exported() {
    let lean = server(RuntimeHealth::builder().detail(Detail::Lean)).metrics();
    let requests = [("route", "/users/{id}"), ("outcome", "completed")];
    assert_eq!(
        lean.value("runtime_health_requests_total", &requests),
        Some(2.0)
    );
    let polls = [("route", "/users/{id}")];
    assert!(lean.value("runtime_health_poll_duration_seconds_count", &polls) > Some(1.0));
    for gone in [
        "request_duration_seconds",
        "schedule_delay_seconds",
        "blocking_run_seconds",
    ] {
        assert_eq!(
            lean.with(&format!("runtime_health_{gone}_count"), &[])
                .count(),
            0,
            "{gone}"
        );
    }
    let options = RuntimeHealth::builder().family_detail(Family::BlockingPool, Detail::Off);
    let off = server(options).metrics();
    assert_eq!(off.with("runtime_health_blocking_tasks", &[]).count(), 0);
    assert_eq!(
        off.with("runtime_health_blocking_threads_max", &[]).count(),
        0
    );
    assert!(off.with("runtime_health_requests_total", &[]).count() > 0);
}
