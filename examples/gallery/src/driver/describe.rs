//! Derives the outcome of a row from what was observed before, during and after it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tower_runtime_health::{Cause, Finding, PoolFinding, PoolFindingKind};

use super::client::{Replied, millis};
use super::load::ENOUGH;
use super::observe::{Observed, Peaks};
use super::outcome::{
    HelloLatency, Outcome, Polls, Pool, ReportedFinding, ReportedPlace, Requests,
};
use crate::table::{Row, Verdict};

pub fn describe(
    row: &'static Row,
    replies: &[Replied],
    wall: Duration,
    hello: HelloLatency,
    peaks: &Peaks,
    before: &Observed,
    after: &Observed,
) -> Outcome {
    let new = new_findings(&before.findings, &after.findings);
    let here: Vec<&Finding> = new
        .iter()
        .filter(|finding| &*finding.route == row.route && finding.method == row.method)
        .collect();
    let saturated = after
        .pool_findings
        .iter()
        .find(|finding| finding.kind == PoolFindingKind::Saturated && finding.since >= before.at);
    let pool = pool(row, peaks, saturated, before, after);
    let (verdict, finding) = verdict(&here, &pool, peaks);
    let pool_finding = saturated.filter(|_| verdict == Verdict::Saturated.as_str());
    let mut mismatches = Vec::new();
    for finding in new.iter().filter(|finding| finding.blames_handler()) {
        if &*finding.route != row.route {
            mismatches.push(format!(
                "the layer blames a route that does not block: {finding}"
            ));
        }
    }
    Outcome {
        row: row.id.to_owned(),
        verdict: verdict.to_owned(),
        expected: row.verdict.as_str().to_owned(),
        unavailable: replies.iter().flatten().find_map(|reply| {
            (reply.status == 503 && row.needs.is_some()).then(|| reply.body.trim().to_owned())
        }),
        requests: requests(replies, wall),
        finding: finding.map(|finding| reported(finding, &here)),
        text: finding
            .map(ToString::to_string)
            .or(pool_finding.map(ToString::to_string)),
        polls: polls(row, before, after),
        hello,
        pool,
        extractor_us: extractor(replies),
        mismatches,
    }
}

/// Derives the verdict from the layer's report, with the finding it rests on.
fn verdict<'f>(
    here: &[&'f Finding],
    pool: &Option<Pool>,
    peaks: &Peaks,
) -> (&'static str, Option<&'f Finding>) {
    let blamed = here.iter().filter(|finding| finding.blames_handler());
    if let Some(finding) = blamed.max_by_key(|finding| finding.total) {
        return (finding.cause.as_str(), Some(finding));
    }
    let of = |cause| here.iter().find(move |finding| finding.cause == cause);
    if let Some(finding) = of(Cause::BlockInPlace) {
        return (Verdict::InPlace.as_str(), Some(finding));
    }
    // A few polls are preempted in any row.
    if let Some(finding) = of(Cause::Preempted).filter(|finding| finding.polls >= ENOUGH) {
        return (Verdict::Preempted.as_str(), Some(finding));
    }
    let verdict = match pool {
        Some(pool) if !pool.holders.is_empty() => Verdict::Saturated,
        Some(pool) if pool.tasks > 0 => Verdict::PoolByRoute,
        // A thread between two tasks looks busy, so a single sample proves nothing.
        _ if peaks.samples > 0 && 2 * peaks.busy_samples >= peaks.samples => Verdict::PoolSeen,
        _ => Verdict::Nothing,
    };
    (verdict.as_str(), None)
}

/// Returns the findings that `after` has and `before` had not, with the polls added since.
pub fn new_findings(before: &[Finding], after: &[Finding]) -> Vec<Finding> {
    let is_same = |a: &Finding, b: &Finding| {
        (&a.route, a.method, a.cause, &a.place) == (&b.route, b.method, b.cause, &b.place)
    };
    let new = after.iter().map(|finding| {
        let mut finding = finding.clone();
        if let Some(old) = before.iter().find(|old| is_same(old, &finding)) {
            finding.polls = finding.polls.saturating_sub(old.polls);
            finding.total = finding.total.saturating_sub(old.total);
        }
        finding
    });
    new.filter(|finding| finding.polls > 0).collect()
}

/// Counts the polls of the same cause together, because they may name several lines.
fn reported(finding: &Finding, here: &[&Finding]) -> ReportedFinding {
    let same = here.iter().filter(|other| other.cause == finding.cause);
    ReportedFinding {
        cause: finding.cause.as_str().to_owned(),
        phase: finding.phase.as_str().to_owned(),
        advice: finding.advice().to_owned(),
        place: finding.place.as_ref().map(|place| ReportedPlace {
            file: place.file.as_deref().map(str::to_owned),
            line: place.line,
            function: place.function.as_deref().map(str::to_owned),
        }),
        call: finding.call.as_deref().map(str::to_owned),
        confidence: finding
            .confidence
            .map(|confidence| confidence.as_str().to_owned()),
        polls: same.map(|finding| finding.polls).sum(),
        longest_ms: millis(finding.longest),
    }
}

fn requests(replies: &[Replied], wall: Duration) -> Requests {
    let mut statuses = BTreeMap::new();
    for reply in replies.iter().flatten() {
        *statuses.entry(reply.status.as_u16()).or_default() += 1;
    }
    Requests {
        sent: replies.len(),
        statuses,
        failed: replies
            .iter()
            .filter_map(|reply| reply.as_ref().err().cloned())
            .collect(),
        wall_ms: millis(wall),
    }
}

fn polls(row: &Row, before: &Observed, after: &Observed) -> Polls {
    const BUCKET: &str = "poll_duration_seconds_bucket";
    let labels = [("route", row.route), ("method", row.method)];
    let new =
        |name: &str, labels: &[(&str, &str)]| after.sum(name, labels) - before.sum(name, labels);
    let count = new("poll_duration_seconds_count", &labels);
    let bounds = after.page.iter().filter(|sample| {
        sample.name == BUCKET
            && labels
                .iter()
                .all(|(label, value)| sample.label(label) == *value)
    });
    let covers = |bound: &&str| {
        let labels = [labels[0], labels[1], ("le", *bound)];
        new(BUCKET, &labels) >= count
    };
    let longest = bounds.map(|sample| sample.label("le")).find(covers);
    Polls {
        count: count as u64,
        longest_at_most_ms: longest
            .and_then(|bound| bound.parse().ok())
            .map(|bound: f64| bound * 1e3)
            .filter(|bound| bound.is_finite()),
    }
}

fn pool(
    row: &Row,
    peaks: &Peaks,
    saturated: Option<&PoolFinding>,
    before: &Observed,
    after: &Observed,
) -> Option<Pool> {
    let labels = [("route", row.route)];
    let new = |name: &str| after.sum(name, &labels) - before.sum(name, &labels);
    let tasks = new("blocking_run_seconds_count") as u64;
    if tasks == 0 && saturated.is_none() && peaks.busy.is_none_or(|busy| busy == 0) {
        return None;
    }
    let mut holders = BTreeMap::new();
    for holder in saturated.iter().flat_map(|finding| &finding.holders) {
        *holders.entry(holder.route.to_string()).or_default() += holder.tasks;
    }
    Some(Pool {
        tasks,
        running: peaks.running,
        queued: peaks.queued,
        waits_ms: (new("blocking_queue_wait_seconds_sum") * 1e3).round(),
        runs_ms: (new("blocking_run_seconds_sum") * 1e3).round(),
        busy: peaks.busy,
        holders,
        longest_wait_ms: saturated.map(|finding| millis(finding.longest_wait)),
    })
}

fn extractor(replies: &[Replied]) -> Option<f64> {
    let took = replies.iter().flatten().filter_map(|reply| {
        let body: Value = serde_json::from_str(&reply.body).ok()?;
        body["extractor_ns"].as_f64()
    });
    let mut took: Vec<f64> = took.collect();
    took.sort_by(f64::total_cmp);
    let median = took.get(took.len() / 2)?;
    Some(median / 1e3)
}
