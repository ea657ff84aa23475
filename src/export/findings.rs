use serde::Serialize;

use crate::health::Shared;
use crate::pool::PoolFinding;
use crate::route::method_name;
use crate::watchdog::{Finding, rfc3339, stalls};

/// `GET /findings`. Fields are only ever added within a version.
#[derive(Debug, Serialize)]
struct Document {
    version: u32,
    crate_version: &'static str,
    generated_at: String,
    threshold_seconds: f64,
    /// Blocking polls in progress at this moment, the longest first.
    stalls: Vec<StalledPoll>,
    /// The costliest first.
    findings: Vec<Finding>,
    /// What was found on blocking pools, the newest first.
    pool_findings: Vec<PoolFinding>,
    findings_dropped: u64,
}

#[derive(Debug, Serialize)]
struct StalledPoll {
    route: String,
    method: &'static str,
    cause: &'static str,
    phase: &'static str,
    thread: String,
    elapsed_seconds: f64,
}

pub(super) fn document(shared: &Shared) -> String {
    let instance = &shared.instance;
    let stalls = stalls(instance).into_iter().map(|stall| StalledPoll {
        route: instance.routes.name(stall.series.route()).to_string(),
        method: method_name(stall.series.method()),
        cause: stall.cause.as_str(),
        phase: stall.phase.as_str(),
        thread: stall.slot.thread().to_owned(),
        elapsed_seconds: instance.clock.seconds(stall.elapsed),
    });
    let document = Document {
        version: 1,
        crate_version: env!("CARGO_PKG_VERSION"),
        generated_at: rfc3339(instance.clock.wall()),
        threshold_seconds: shared.options.threshold.as_secs_f64(),
        stalls: stalls.collect(),
        findings: shared.findings.list(&instance.clock, &instance.routes),
        pool_findings: shared.pool_findings.list(),
        findings_dropped: shared.findings.dropped(),
    };
    // Fails for maps with odd keys and failing writers only; there are none.
    let mut json = serde_json::to_string_pretty(&document).unwrap_or_default();
    json.push('\n');
    json
}
