//! What a user can choose: names, defaults and ranges, checked before anything starts.

use std::time::Duration;

use crate::error::{Error, Kind};
use crate::model::ClosedSet;

/// How much of a family of metrics is exported. Recording is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detail {
    /// Everything.
    #[default]
    Full,
    /// Without the label `method`, and of the histograms by route only
    /// `poll_duration_seconds`. For large fleets.
    Lean,
    /// Nothing.
    Off,
}

closed_set! {
    /// A family of metrics whose [`Detail`] can be chosen.
    #[non_exhaustive]
    pub enum Family {
        /// `requests_*`, `request_*`.
        Requests = "requests",
        /// `poll_*`, `schedule_delay_*`, `blocking_polls_*`, `blocking_seconds_*`,
        /// `stalled_polls`, `longest_stall_seconds`.
        Polls = "polls",
        /// `worker*`, `alive_tasks`, queues of the scheduler, `scheduler_lag_*`.
        Runtime = "runtime",
        /// The blocking pool: threads, tasks, queue.
        BlockingPool = "blocking_pool",
    }
}

/// Options, validated.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) threshold: Duration,
    pub(crate) namespace: String,
    pub(crate) max_routes: usize,
    pub(crate) max_findings: usize,
    pub(crate) log_interval: Duration,
    pub(crate) schedule_delay_sampling: u32,
    pub(crate) scheduler_lag_interval: Duration,
    pub(crate) max_blocking_threads: usize,
    pub(crate) blocking_probe_interval: Duration,
    pub(crate) pool_saturated_after: Duration,
    pub(crate) pool_stuck_after: Duration,
    pub(crate) long_blocking_task: Duration,
    pub(crate) captures_per_second: u32,
    pub(crate) capture_interval: Duration,
    pub(crate) interrupt_running_threads: bool,
    pub(crate) sample_under_seccomp: bool,
    pub(crate) detail: [Detail; Family::COUNT],
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threshold: Duration::from_millis(10),
            namespace: "runtime_health".into(),
            max_routes: 512,
            max_findings: 256,
            log_interval: Duration::from_secs(60),
            schedule_delay_sampling: 8,
            scheduler_lag_interval: Duration::from_millis(100),
            max_blocking_threads: 512,
            blocking_probe_interval: Duration::from_secs(1),
            pool_saturated_after: Duration::from_millis(100),
            pool_stuck_after: Duration::from_secs(5),
            long_blocking_task: Duration::from_secs(60),
            captures_per_second: 10,
            capture_interval: Duration::from_secs(10),
            interrupt_running_threads: false,
            sample_under_seccomp: false,
            detail: [Detail::Full; Family::COUNT],
        }
    }
}

impl Options {
    pub(crate) fn set_detail(&mut self, family: Family, detail: Detail) {
        self.detail[family.index()] = detail;
    }

    pub(crate) fn validate(&self) -> Result<(), Error> {
        let millis = Duration::from_millis;
        let hour = millis(3_600_000);
        let checks = [
            (
                "threshold",
                format!("{:?}", self.threshold),
                (millis(1)..=hour).contains(&self.threshold),
                "1 ms to 1 h",
            ),
            (
                "namespace",
                format!("{:?}", self.namespace),
                is_namespace(&self.namespace),
                "letters, digits and underscores, at least one, not a digit first",
            ),
            (
                "max_routes",
                self.max_routes.to_string(),
                (1..=65536).contains(&self.max_routes),
                "1 to 65536",
            ),
            (
                "max_findings",
                self.max_findings.to_string(),
                (1..=65536).contains(&self.max_findings),
                "1 to 65536",
            ),
            (
                "scheduler_lag_interval",
                format!("{:?}", self.scheduler_lag_interval),
                (millis(10)..=hour).contains(&self.scheduler_lag_interval),
                "10 ms to 1 h",
            ),
            (
                "max_blocking_threads",
                self.max_blocking_threads.to_string(),
                self.max_blocking_threads >= 1,
                "at least 1",
            ),
            (
                "blocking_probe_interval",
                format!("{:?}", self.blocking_probe_interval),
                (millis(100)..=hour).contains(&self.blocking_probe_interval),
                "100 ms to 1 h",
            ),
            (
                "pool_saturated_after",
                format!("{:?}", self.pool_saturated_after),
                (millis(10)..=hour).contains(&self.pool_saturated_after),
                "10 ms to 1 h",
            ),
            (
                "pool_stuck_after",
                format!("{:?}", self.pool_stuck_after),
                (millis(100)..=hour).contains(&self.pool_stuck_after),
                "100 ms to 1 h",
            ),
            (
                "long_blocking_task",
                format!("{:?}", self.long_blocking_task),
                (millis(100)..=hour * 24).contains(&self.long_blocking_task),
                "100 ms to 24 h",
            ),
        ];
        match checks.into_iter().find(|(_, _, valid, _)| !valid) {
            None => Ok(()),
            Some((name, value, _, allowed)) => Err(Kind::Option {
                name,
                value,
                allowed,
            }
            .into()),
        }
    }
}

/// A legal start of a metric's name (Prometheus' data model, without colons,
/// which belong to recording rules).
fn is_namespace(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
