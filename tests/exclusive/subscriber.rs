//! A log subscriber that panics.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tower_runtime_health::RuntimeHealth;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::isolation::own_process;
use crate::support::{self, DEADLINE, Server, wait_for};

static EVENTS: AtomicU32 = AtomicU32::new(0);

struct Panics;

impl<S: tracing::Subscriber> Layer<S> for Panics {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "tower_runtime_health" {
            EVENTS.fetch_add(1, Ordering::Relaxed);
            std::panic::resume_unwind(Box::new("on purpose"));
        }
    }
}

#[test]
fn the_watchdog_survives_a_subscriber_that_panics_and_counts_each_lost_event() {
    own_process(
        "subscriber::the_watchdog_survives_a_subscriber_that_panics_and_counts_each_lost_event",
        || {
            tracing_subscriber::registry().with(Panics).init();
            let router = Router::new().route(
                "/blocks/{id}",
                get(|| async { std::thread::sleep(Duration::from_millis(40)) }),
            );
            let options = RuntimeHealth::builder().log_interval(Duration::ZERO);
            let server = Server::axum(options, router);
            for polls in 1..=3 {
                assert_eq!(support::get(server.addr(), "/blocks/1").status, 200);
                wait_for(DEADLINE, || {
                    // The first poll may have ended before the watchdog looked. Then it has another
                    // cause, and is another finding.
                    let findings = server.health().findings();
                    let seen: u64 = findings.iter().map(|finding| finding.polls).sum();
                    seen >= polls && findings.iter().all(|finding| finding.running == 0)
                });
            }
            // On a starved machine, other polls can be long, too.
            wait_for(DEADLINE, || {
                let events = EVENTS.load(Ordering::Relaxed);
                let dropped = server
                    .metrics()
                    .value("runtime_health_findings_dropped_total", &[]);
                events >= 3 && dropped == Some(f64::from(events))
            });
        },
    );
}
