use serde::Serialize;

use crate::findings::{Finding, PoolFinding, rfc3339, stalls};
use crate::model::{Cause, Phase};
use crate::state::State;

/// The document at `/findings`. Within a version, fields are added but never changed or
/// removed.
#[derive(Debug, Serialize)]
struct Document {
    version: u32,
    crate_version: &'static str,
    generated_at: String,
    threshold_seconds: f64,
    /// Blocking polls in progress at this moment, the longest first.
    stalls: Vec<StalledPoll>,
    /// Findings on polls, the costliest first.
    findings: Vec<Finding>,
    /// Findings on blocking pools, the newest first.
    pool_findings: Vec<PoolFinding>,
    findings_dropped: u64,
}

#[derive(Debug, Serialize)]
struct StalledPoll {
    route: String,
    method: &'static str,
    cause: Cause,
    phase: Phase,
    thread: String,
    elapsed_seconds: f64,
}

pub(super) fn document(state: &State) -> String {
    let instance = &state.instance;
    let stalls = stalls(instance).into_iter().map(|stall| StalledPoll {
        route: instance.routes.name(stall.series.route()).to_string(),
        method: stall.series.method().as_str(),
        cause: stall.cause,
        phase: stall.phase,
        thread: stall.slot.thread().to_owned(),
        elapsed_seconds: instance.clock.seconds(stall.elapsed),
    });
    let document = Document {
        version: 1,
        crate_version: env!("CARGO_PKG_VERSION"),
        generated_at: rfc3339(instance.clock.wall()),
        threshold_seconds: state.options.threshold.as_secs_f64(),
        stalls: stalls.collect(),
        findings: state.findings.list(instance),
        pool_findings: state.pool_findings.list(),
        findings_dropped: state.findings.dropped(),
    };
    // Fails only for maps whose keys are not strings, or if a `Serialize` fails. Neither
    // occurs here.
    let mut json = serde_json::to_string_pretty(&document).unwrap_or_default();
    json.push('\n');
    json
}
