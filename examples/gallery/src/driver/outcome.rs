//! The outcome of a row, as data for the page, the documentation and the tests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The outcome of trying a row.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Outcome {
    /// The row's id.
    pub row: String,
    /// What the layer reports, as in [`Verdict::as_str`](crate::table::Verdict::as_str).
    pub verdict: String,
    /// What the table expects.
    pub expected: String,
    /// Why the row could not be tried: the body of its 503 response.
    pub unavailable: Option<String>,
    pub requests: Requests,
    pub finding: Option<ReportedFinding>,
    /// The text of the finding, or of the finding on the pool.
    pub text: Option<String>,
    pub polls: Polls,
    pub hello: HelloLatency,
    pub pool: Option<Pool>,
    /// Median time of row 16's extractor, as the handler measures it.
    pub extractor_us: Option<f64>,
    /// Each difference between the outcome and the table.
    pub mismatches: Vec<String>,
}

/// The row's requests.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Requests {
    pub sent: usize,
    pub statuses: BTreeMap<u16, usize>,
    pub failed: Vec<String>,
    /// From the first request to the last response.
    pub wall_ms: f64,
}

/// The parts of a finding that are compared with the table.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ReportedFinding {
    pub cause: String,
    pub phase: String,
    pub advice: String,
    pub place: Option<ReportedPlace>,
    pub call: Option<String>,
    pub confidence: Option<String>,
    /// Blocking polls of this cause in this try.
    pub polls: u64,
    /// The longest poll of the finding, in any try.
    pub longest_ms: f64,
}

/// The place that a finding names.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ReportedPlace {
    pub file: Option<String>,
    pub line: Option<u32>,
    pub function: Option<String>,
}

/// All polls of the row's route in this try, from the exported histogram.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Polls {
    pub count: u64,
    /// Upper bound of the bucket of the longest poll; `None` above the last bucket.
    pub longest_at_most_ms: Option<f64>,
}

/// How long `GET /hello` took while the row was tried.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct HelloLatency {
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
    /// The most at once.
    pub running: u64,
    pub queued: u64,
    /// The total time the tasks waited for a thread, and ran.
    pub waits_ms: f64,
    pub runs_ms: f64,
    /// The most busy threads at once, with tasks of any route; `None` where unknown.
    pub busy: Option<u64>,
    /// The routes that held the threads of a saturated pool, with the number of threads.
    pub holders: BTreeMap<String, u64>,
    /// From the finding on a saturated pool.
    pub longest_wait_ms: Option<f64>,
}
