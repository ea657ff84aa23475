//! What a user can choose: names, defaults, ranges and costs, in one table.
//!
//! The builder's setters write to [`Options`]. [`Options::validate`] checks all of them before
//! anything starts. The table in `docs/options.md` and the "Default …" sentences of the
//! setters are compared with [`TABLE`](table::TABLE) by tests.
//!
//! | file | what |
//! |---|---|
//! | `table` | one row per option, and the check of its range |

mod table;

use std::time::Duration;

use crate::model::ClosedSet;

closed_set! {
    /// How much of a family of metrics is exported. Recording is the same.
    #[derive(Default)]
    #[non_exhaustive]
    pub enum Detail {
        /// Everything.
        #[default]
        Full = "full",
        /// Without the label `method`, and of the histograms by route only
        /// `poll_duration_seconds`. For large fleets.
        Lean = "lean",
        /// Nothing.
        Off = "off",
    }
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

/// The value of every option that is not a runtime or an address.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) threshold: Duration,
    pub(crate) namespace: String,
    pub(crate) max_routes: usize,
    pub(crate) max_findings: usize,
    pub(crate) log_interval: Duration,
    /// One request in so many; `None` for none.
    pub(crate) schedule_delay_sampling: Option<u32>,
    pub(crate) scheduler_lag_interval: Duration,
    pub(crate) max_blocking_threads: usize,
    pub(crate) blocking_probe_interval: Duration,
    pub(crate) pool_saturated_after: Duration,
    pub(crate) pool_stuck_after: Duration,
    pub(crate) long_blocking_task: Duration,
    /// `None` for no captures.
    pub(crate) captures_per_second: Option<u32>,
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
            schedule_delay_sampling: Some(8),
            scheduler_lag_interval: Duration::from_millis(100),
            max_blocking_threads: 512,
            blocking_probe_interval: Duration::from_secs(1),
            pool_saturated_after: Duration::from_millis(100),
            pool_stuck_after: Duration::from_secs(5),
            long_blocking_task: Duration::from_secs(60),
            captures_per_second: Some(10),
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
}
