//! What came of a row: data, as the page shows it and the tests read it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower_runtime_health::{Cause, Finding, PoolFinding, PoolFindingKind};

use super::client::{Replied, millis};
use super::machine::ENOUGH;
use super::observe::{Observed, Seen};
use crate::table::{Row, Verdict};

/// What came of trying a row.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Outcome {
    /// The row's id.
    pub row: String,
    /// What the layer says, in the words of [`Verdict::as_str`].
    pub verdict: String,
    /// What the table says.
    pub expected: String,
    /// Why the row could not be tried: the text of its 503.
    pub unavailable: Option<String>,
    pub requests: Requests,
    /// What is at fault.
    pub finding: Option<Found>,
    /// What the layer says for people: of what is at fault, or of the pool.
    pub text: Option<String>,
    pub polls: Polls,
    pub innocent: Innocent,
    pub pool: Option<Pool>,
    /// Median time of the extractor of row 16, as the handler measured it.
    pub extractor_us: Option<f64>,
    /// Where what happened differs from the table; empty if it does not.
    pub differs: Vec<String>,
}

/// The row's requests.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Requests {
    pub sent: usize,
    pub statuses: BTreeMap<u16, usize>,
    pub failed: Vec<String>,
    /// From the first to the last answer.
    pub wall_ms: f64,
}

/// A finding, as far as it is compared.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Found {
    pub cause: String,
    pub phase: String,
    pub advice: String,
    pub place: Option<PlaceSeen>,
    pub call: Option<String>,
    pub confidence: Option<String>,
    /// Blocking polls of this cause in this try.
    pub polls: u64,
    /// The longest poll of the finding, in any try.
    pub longest_ms: f64,
}

/// The line it names.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PlaceSeen {
    pub file: Option<String>,
    pub line: Option<u32>,
    pub function: Option<String>,
}

/// All polls of the row's route in this try, from the exported histogram.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Polls {
    pub count: u64,
    /// Upper bound of the bucket of the longest; `None` above the last.
    pub longest_at_most_ms: Option<f64>,
}

/// The requests of somebody innocent, sent beside.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Innocent {
    pub requests: usize,
    pub median_ms: f64,
    pub p90_ms: f64,
    pub longest_ms: f64,
}

/// The blocking pool in this try.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Pool {
    /// Tasks of the row's route that have ended.
    pub tasks: u64,
    /// The most of them at once.
    pub running: u64,
    pub queued: u64,
    /// All their waits for a thread, and all their runs.
    pub waits_ms: f64,
    pub runs_ms: f64,
    /// The most threads at work at once, whoever's work; `None` where unknown.
    pub busy: Option<u64>,
    /// Routes that held the threads of a saturated pool, with how many.
    pub holders: BTreeMap<String, u64>,
    /// As the finding of a saturated pool has it.
    pub longest_wait_ms: Option<f64>,
}

pub fn describe(
    row: &'static Row,
    replies: &[Replied],
    wall: Duration,
    innocent: Innocent,
    seen: &Seen,
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
    let pool = pool(row, seen, saturated, before, after);
    let (verdict, said) = verdict(&here, &pool, seen);
    let of_pool = saturated.filter(|_| verdict == Verdict::Saturated.as_str());
    let mut differs = Vec::new();
    for finding in new.iter().filter(|finding| finding.blames_handler()) {
        if &*finding.route != row.route {
            differs.push(format!("an innocent route is blamed: {finding}"));
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
        finding: said.map(|finding| found(finding, &here)),
        text: said
            .map(ToString::to_string)
            .or(of_pool.map(ToString::to_string)),
        polls: polls(row, before, after),
        innocent,
        pool,
        extractor_us: extractor(replies),
        differs,
    }
}

/// What the layer says, and the finding that says it.
fn verdict<'f>(
    here: &[&'f Finding],
    pool: &Option<Pool>,
    seen: &Seen,
) -> (&'static str, Option<&'f Finding>) {
    let blamed = here.iter().filter(|finding| finding.blames_handler());
    if let Some(finding) = blamed.max_by_key(|finding| finding.total) {
        return (finding.cause.as_str(), Some(finding));
    }
    let of = |cause| here.iter().find(move |finding| finding.cause == cause);
    if let Some(finding) = of(Cause::BlockInPlace) {
        return (Verdict::InPlace.as_str(), Some(finding));
    }
    // A few happen beside any row.
    if let Some(finding) = of(Cause::Preempted).filter(|finding| finding.polls >= ENOUGH) {
        return (Verdict::Preempted.as_str(), Some(finding));
    }
    let verdict = match pool {
        Some(pool) if !pool.holders.is_empty() => Verdict::Saturated,
        Some(pool) if pool.tasks > 0 => Verdict::PoolByRoute,
        // One sample finds a thread busy that is between two tasks.
        _ if seen.samples > 0 && 2 * seen.busy_samples >= seen.samples => Verdict::PoolSeen,
        _ => Verdict::Nothing,
    };
    (verdict.as_str(), None)
}

/// What `after` has that `before` had not; polls are those of the difference.
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

/// Polls of one cause may have stopped at several lines.
fn found(finding: &Finding, here: &[&Finding]) -> Found {
    let same = here.iter().filter(|other| other.cause == finding.cause);
    Found {
        cause: finding.cause.as_str().to_owned(),
        phase: finding.phase.as_str().to_owned(),
        advice: finding.advice().to_owned(),
        place: finding.place.as_ref().map(|place| PlaceSeen {
            file: place.file.as_deref().map(str::to_owned),
            line: place.line,
            function: place.function.as_deref().map(str::to_owned),
        }),
        call: finding.call.as_deref().map(str::to_owned),
        confidence: finding.confidence.map(|sure| sure.as_str().to_owned()),
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
    seen: &Seen,
    saturated: Option<&PoolFinding>,
    before: &Observed,
    after: &Observed,
) -> Option<Pool> {
    let labels = [("route", row.route)];
    let new = |name: &str| after.sum(name, &labels) - before.sum(name, &labels);
    let tasks = new("blocking_run_seconds_count") as u64;
    if tasks == 0 && saturated.is_none() && seen.busy.is_none_or(|busy| busy == 0) {
        return None;
    }
    let mut holders = BTreeMap::new();
    for holder in saturated.iter().flat_map(|finding| &finding.holders) {
        *holders.entry(holder.route.to_string()).or_default() += holder.tasks;
    }
    Some(Pool {
        tasks,
        running: seen.running,
        queued: seen.queued,
        waits_ms: (new("blocking_queue_wait_seconds_sum") * 1e3).round(),
        runs_ms: (new("blocking_run_seconds_sum") * 1e3).round(),
        busy: seen.busy,
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
