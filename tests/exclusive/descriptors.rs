//! The table of file descriptors is full.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::process::Command;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tower_runtime_health::RuntimeHealth;

use crate::isolation::own_process;
use crate::support::{self, DEADLINE, Server, wait_for};

#[test]
fn with_a_full_descriptor_table_the_watchdog_works_and_the_exporter_recovers() {
    own_process(
        "descriptors::with_a_full_descriptor_table_the_watchdog_works_and_the_exporter_recovers",
        || {
            let router = Router::new().route(
                "/late",
                get(|| async {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    std::thread::sleep(Duration::from_millis(50));
                }),
            );
            let server = Server::axum(RuntimeHealth::builder(), router);
            let limited = Command::new("prlimit")
                .args(["--nofile=256:256", "--pid", &std::process::id().to_string()])
                .status()
                .expect("prlimit, of util-linux");
            assert!(limited.success());
            let (page, addr) = (server.metrics(), server.addr());
            assert!(page.sum("runtime_health_build_info", &[]) == 1.0);

            // Connects before the table is full, and blocks after that.
            let mut client = support::connect(addr);
            std::io::Write::write_all(
                &mut client,
                b"GET /late HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            )
            .unwrap();
            wait_for(DEADLINE, || {
                server
                    .metrics()
                    .sum("runtime_health_requests_in_flight", &[])
                    == 1.0
            });
            let mut held = Vec::new();
            let fill = |held: &mut Vec<_>| {
                while let Ok(file) = File::open("/dev/null") {
                    held.push(file);
                }
            };
            fill(&mut held);
            assert!(!held.is_empty());
            wait_for(DEADLINE, || {
                server
                    .health()
                    .findings()
                    .iter()
                    .any(|finding| &*finding.route == "/late")
            });
            // The kernel takes a connection that the exporter cannot accept: the client gets the one free
            // descriptor. The table is filled again first, because the exporter may have closed its last
            // connection since.
            fill(&mut held);
            held.pop();
            let mut waiting = support::connect(server.health().metrics_addr().unwrap());
            let refused = "runtime_health_exporter_connections_refused_total 0\n";
            wait_for(DEADLINE, || !server.health().render().contains(refused));

            drop(held);
            std::io::Write::write_all(&mut waiting, b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")
                .unwrap();
            let page = String::from_utf8(support::read_to_close(&mut waiting)).unwrap();
            assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
            assert!(support::read_to_close(&mut client).starts_with(b"HTTP/1.1 200 OK"));
        },
    );
}
