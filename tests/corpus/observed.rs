//! What the layer reports: its log events and `GET /findings`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::support;

/// A log event about a blocking poll.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) received: Instant,
    pub(crate) route: String,
    pub(crate) still_running: bool,
    pub(crate) elapsed_ms: u64,
    pub(crate) lateness_ms: u64,
}

static EVENTS: Mutex<Vec<Event>> = Mutex::new(Vec::new());

struct Collect;

impl<S: tracing::Subscriber> Layer<S> for Collect {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != "tower_runtime_health" {
            return;
        }
        let mut seen = Event {
            received: Instant::now(),
            route: String::new(),
            still_running: false,
            elapsed_ms: 0,
            lateness_ms: 0,
        };
        event.record(&mut seen);
        EVENTS.lock().unwrap().push(seen);
    }
}

impl Visit for Event {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "route" {
            value.clone_into(&mut self.route);
        }
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "still_running" {
            self.still_running = value;
        }
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "elapsed_ms" => self.elapsed_ms = value,
            "lateness_ms" => self.lateness_ms = value,
            _ => {}
        }
    }
    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

/// Sets the process's log subscriber, which collects all events from now on.
pub(crate) fn collect_events() {
    tracing_subscriber::registry().with(Collect).init();
}

/// Returns the events of one route since the last call.
pub(crate) fn take_events(route: &str) -> Vec<Event> {
    let mut events = EVENTS.lock().unwrap();
    let (taken, left) = events.drain(..).partition(|event| event.route == route);
    *events = left;
    taken
}

/// The parts of a finding that the corpus checks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) cause: String,
    pub(crate) phase: String,
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) function: String,
    pub(crate) call: String,
    pub(crate) confidence: String,
    pub(crate) polls: u64,
    pub(crate) captured: u64,
    pub(crate) running: u64,
    /// Milliseconds on the CPU, waiting for the CPU, and blocked.
    pub(crate) times: Option<[f64; 3]>,
}

impl Finding {
    fn read(value: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let count = |value: &Value| value.as_u64().unwrap_or_default();
        let place = &value["place"];
        let times = &value["times"];
        let millis = |name: &str| times[name].as_f64().unwrap_or_default() * 1e3;
        Self {
            cause: text(&value["cause"]),
            phase: text(&value["phase"]),
            file: text(&place["file"]),
            line: place["line"].as_u64().unwrap_or_default() as u32,
            function: text(&place["function"]),
            call: text(&value["call"]),
            confidence: text(&value["confidence"]),
            polls: count(&value["polls"]),
            captured: count(&value["captured"]),
            running: count(&value["running"]),
            times: times
                .is_object()
                .then(|| ["on_cpu_seconds", "waiting_seconds", "blocked_seconds"].map(millis)),
        }
    }

    /// Whether the finding blames the handler.
    pub(crate) fn blames_handler(&self) -> bool {
        !matches!(
            self.cause.as_str(),
            "preempted" | "block_in_place" | "unknown"
        )
    }
}

/// The findings of one route, by cause, file, line and function.
pub(crate) type Findings = HashMap<(String, String, u32, String), Finding>;

pub(crate) fn findings(exporter: SocketAddr, route: &str) -> Findings {
    let reply = support::get(exporter, "/findings");
    assert_eq!(reply.status, 200, "{}", reply.head);
    let document: Value = serde_json::from_str(&reply.body).expect("JSON");
    let all = document["findings"].as_array().expect("a list of findings");
    all.iter()
        .filter(|finding| finding["route"] == route)
        .map(Finding::read)
        .map(|finding| {
            let (cause, file) = (finding.cause.clone(), finding.file.clone());
            let key = (cause, file, finding.line, finding.function.clone());
            (key, finding)
        })
        .collect()
}

/// Returns the findings of `after` that are new or have more polls than in `before`. Their counts are
/// the differences.
pub(crate) fn difference(before: &Findings, after: &Findings) -> Vec<Finding> {
    let new = after.iter().map(|(key, finding)| {
        let mut finding = finding.clone();
        if let Some(before) = before.get(key) {
            finding.polls -= before.polls.min(finding.polls);
            finding.captured -= before.captured.min(finding.captured);
        }
        finding
    });
    let mut new: Vec<_> = new.filter(|finding| finding.polls > 0).collect();
    new.sort_by_key(|finding| std::cmp::Reverse(finding.polls));
    new
}
