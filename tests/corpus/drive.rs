//! Runs cases with one request at a time, and collects what the layer reports about each.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tower::Layer;
use tower_runtime_health::{Builder, RuntimeHealth};

use crate::case::{Blocks, Case, Corpus, Label, Side, THRESHOLD};
use crate::metronome::Metronome;
use crate::observed::{self, Event, Finding, Findings};
use crate::report::Row;
use crate::support::{self, Server};
use crate::wrapping;

/// How long after a poll the layer may take to report everything about it.
const SETTLED: Duration = Duration::from_secs(2);

pub(crate) struct Driver {
    cases: Vec<Case>,
    router: Server,
    service: Server,
    metronome: Metronome,
}

impl Driver {
    /// Serves the corpus, and waits until a stack was read. For the first stack the watchdog reads
    /// the symbols of this process, which takes longer than a case.
    pub(crate) fn start(mut corpus: Corpus) -> Self {
        const WARM_UP: &str = "/warm-up";
        observed::collect_events();
        let warm_up = || async {
            crate::case::real_await().await;
            std::thread::sleep(Duration::from_millis(300));
            "ok"
        };
        corpus.route(WARM_UP, axum::routing::get(warm_up));
        let router = corpus.router.clone();
        let driver = Self {
            router: Server::layered(options(), |listener, layer| {
                support::serve_axum(listener, router.layer(layer))
            }),
            service: Server::layered(options(), |listener, layer| {
                let layer = layer.route_by(|head| Some(head.uri().path().to_owned().into()));
                let service = wrapping::service(corpus.router);
                support::serve_hyper(listener, layer.layer(service))
            }),
            cases: corpus.cases,
            metronome: Metronome::start(),
        };
        for side in [Side::Router, Side::Service] {
            for _ in 0..5 {
                driver.request(side, "GET", WARM_UP);
                let exporter = driver.exporter(side);
                let found = observed::findings(exporter, WARM_UP);
                if found.values().any(|finding| finding.captured > 0) {
                    break;
                }
            }
        }
        driver
    }

    pub(crate) fn cases(&self) -> &[Case] {
        &self.cases
    }

    fn server(&self, side: Side) -> &Server {
        match side {
            Side::Router => &self.router,
            Side::Service => &self.service,
        }
    }

    fn exporter(&self, side: Side) -> SocketAddr {
        self.server(side).health().metrics_addr().unwrap()
    }

    pub(crate) fn findings(&self, side: Side, path: &str) -> Findings {
        observed::findings(self.exporter(side), path)
    }

    /// Sends a request. Returns the answer's text if it is not as expected.
    pub(crate) fn request(&self, side: Side, method: &str, path: &str) -> Option<String> {
        let path = path.replace("{id}", "7").replace("{name}", "some.txt");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        let answer = support::exchange(self.server(side).addr(), request.as_bytes());
        let answer = String::from_utf8_lossy(&answer);
        let good = answer.starts_with("HTTP/1.1 20") && answer.contains("ok");
        (!good).then(|| answer.lines().last().unwrap_or_default().to_owned())
    }

    pub(crate) fn run(&self, case: &Case, runs: u64) -> Row {
        let mut row = Row::new(case);
        if case.obstacle.is_some() {
            return row;
        }
        for _ in 0..runs {
            self.run_once(case, &mut row);
        }
        row
    }

    fn run_once(&self, case: &Case, row: &mut Row) {
        let before = self.findings(case.server, case.path);
        observed::take_events(case.path);
        self.metronome.take();
        let wrong = self.request(case.server, case.method, case.path);
        let answered = Instant::now();
        let machine = self.metronome.take();
        row.runs += 1;
        if let Some(wrong) = wrong {
            row.disturbed += 1;
            row.note(format!("answered {wrong:?}"));
        }
        match &case.label {
            Label::Innocent => {
                // After two ticks the watchdog has processed all its polls.
                std::thread::sleep(THRESHOLD);
                let seen = self.settle(case, &before, |_| true);
                row.judge_innocent(&seen);
            }
            Label::InPlace(at) => {
                let seen = self.settle(case, &before, |seen| !seen.is_empty());
                row.judge_in_place(&seen, at);
            }
            Label::Blocks(blocks) => {
                let seen = self.settle(case, &before, |seen| {
                    seen.iter().any(|finding| right_cause(blocks, finding))
                });
                let events = observed::take_events(case.path);
                let flagged = events
                    .iter()
                    .find(|event| event.still_running && event.received <= answered);
                row.judge_flagged(flagged.map(|event| in_time(event, machine)), &events);
                row.judge_blocks(&seen, blocks, case.call);
            }
        }
    }

    /// Returns what was found since `before`, once no poll of the case is running and `complete`
    /// holds, or after a deadline.
    fn settle(
        &self,
        case: &Case,
        before: &Findings,
        complete: impl Fn(&[Finding]) -> bool,
    ) -> Vec<Finding> {
        let started = Instant::now();
        let mut found_at = None;
        loop {
            let after = self.findings(case.server, case.path);
            let seen = observed::difference(before, &after);
            let over = after.values().all(|finding| finding.running == 0);
            if over && complete(&seen) {
                return seen;
            }
            // Another finding than the expected one: it will not change any more.
            if over && !seen.is_empty() {
                let found_at = found_at.get_or_insert_with(Instant::now);
                if found_at.elapsed() > 10 * THRESHOLD {
                    return seen;
                }
            }
            if started.elapsed() > SETTLED {
                return seen;
            }
            std::thread::sleep(Duration::from_millis(3));
        }
    }
}

/// Captures every stack, and logs every poll.
fn options() -> Builder {
    RuntimeHealth::builder()
        .threshold(THRESHOLD)
        .log_interval(Duration::ZERO)
        .captures_per_second(1000)
        .capture_interval(Duration::ZERO)
}

fn right_cause(blocks: &Blocks, finding: &Finding) -> bool {
    blocks.causes.contains(&finding.cause.as_str())
}

/// Whether a poll was flagged within the threshold, two ticks, and the lateness of the watchdog or
/// of the machine, whichever is larger. Events have whole milliseconds, rounded down.
fn in_time(event: &Event, machine: Duration) -> bool {
    let tick = THRESHOLD / 2;
    let late = machine.max(Duration::from_millis(event.lateness_ms));
    let allowed = THRESHOLD + 2 * tick + late + Duration::from_millis(1);
    Duration::from_millis(event.elapsed_ms) <= allowed
}
