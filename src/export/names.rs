//! Every metric of the crate in one table: name, type, help, unit, labels and
//! buckets. The collector, the docs, the dashboards and the tests use it.

use crate::options::Family;
use crate::recorder::{BLOCKING_SECONDS, DELAY_SECONDS, POLL_SECONDS, REQUEST_SECONDS};

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name without the namespace (`runtime_health_` by default).
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its help text. The figure is exact unless the text says that it is
    /// sampled or a bound.
    pub help: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// Its labels at full detail.
    pub labels: &'static [&'static str],
    /// Upper bounds of its buckets without `+Inf`. Empty unless a histogram.
    pub buckets: &'static [f64],
    /// The family whose [`Detail`](crate::Detail) applies. `None` for metrics
    /// about the crate itself, which are always exported.
    pub family: Option<Family>,
    /// In which builds it is exported.
    pub available: Available,
}

/// The Prometheus type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "Prometheus terms")]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    /// Returns the name used in the text format.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The unit of a metric, always a base unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// A count.
    None,
    /// Seconds.
    Seconds,
}

/// In which builds a metric is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Available {
    /// In every build.
    Always,
    /// With the feature `runtime-metrics`.
    RuntimeMetrics,
    /// With the feature `runtime-metrics` and `--cfg tokio_unstable`.
    TokioUnstable,
}

macro_rules! metrics {
    ($(
        $(#[$doc:meta])*
        $id:ident = $kind:ident $name:literal $labels:tt $(in $buckets:ident)?,
            $unit:ident, $family:expr, $available:ident,
            $help:literal;
    )*) => {
        $(
            pub(crate) const $id: Metric = Metric {
                name: $name,
                kind: Kind::$kind,
                help: $help,
                unit: Unit::$unit,
                labels: &$labels,
                buckets: metrics!(@buckets $($buckets)?),
                family: $family,
                available: Available::$available,
            };
        )*

        /// Every metric, in the order of the metrics page.
        pub const METRICS: &[Metric] = &[$($id),*];
    };
    (@buckets) => { &[] };
    (@buckets $buckets:ident) => { &$buckets };
}

use Family::{BlockingPool, Polls, Requests, Runtime};

metrics! {
    REQUESTS_TOTAL = Counter "requests_total" ["route", "method", "outcome"],
        None, Some(Requests), Always,
        "Requests that have ended. completed: the response was handed over in full; error: the service or the body failed, or a poll panicked; cancelled: dropped before its end.";
    REQUESTS_IN_FLIGHT = Gauge "requests_in_flight" ["route"],
        None, Some(Requests), Always,
        "Requests in progress.";
    REQUEST_DURATION = Histogram "request_duration_seconds" ["route", "method"] in REQUEST_SECONDS,
        Seconds, Some(Requests), Always,
        "Time from the call of the service to the end of the response body.";
    POLL_DURATION = Histogram "poll_duration_seconds" ["route", "method"] in POLL_SECONDS,
        Seconds, Some(Polls), Always,
        "Duration of each poll of a request: the call of the service, polls of its future and polls of the response body.";
    SCHEDULE_DELAY = Histogram "schedule_delay_seconds" ["route"] in DELAY_SECONDS,
        Seconds, Some(Polls), Always,
        "Time from a wake of a request to its next poll. Sampled: only some requests are measured, and wakes by the polling task itself are not counted.";
    BLOCKING_POLLS_TOTAL = Counter "blocking_polls_total" ["route", "method", "cause"],
        None, Some(Polls), Always,
        "Blocking polls: finished polls that lasted at least the threshold.";
    BLOCKING_SECONDS_TOTAL = Counter "blocking_seconds_total" ["route", "method", "cause"],
        Seconds, Some(Polls), Always,
        "Time spent in blocking polls: finished polls that lasted at least the threshold.";
    STALLED_POLLS = Gauge "stalled_polls" ["route"],
        None, Some(Polls), Always,
        "Polls in progress that have already lasted at least the threshold.";
    LONGEST_STALL = Gauge "longest_stall_seconds" [],
        Seconds, Some(Polls), Always,
        "Age of the oldest stalled poll; 0 if there is none.";
    WORKERS = Gauge "workers" ["runtime"],
        None, Some(Runtime), RuntimeMetrics,
        "Worker threads of the runtime.";
    WORKER_BUSY = Counter "worker_busy_seconds_total" ["runtime", "worker"],
        Seconds, Some(Runtime), RuntimeMetrics,
        "Time the worker was not parked. Tokio adds a busy period when it ends, so the counter of a stuck worker does not increase.";
    WORKER_PARKS = Counter "worker_parks_total" ["runtime", "worker"],
        None, Some(Runtime), RuntimeMetrics,
        "Times the worker parked because it had no work.";
    ALIVE_TASKS = Gauge "alive_tasks" ["runtime"],
        None, Some(Runtime), RuntimeMetrics,
        "Tasks of the runtime that have not ended.";
    GLOBAL_QUEUE_DEPTH = Gauge "global_queue_depth" ["runtime"],
        None, Some(Runtime), RuntimeMetrics,
        "Tasks in the runtime's injection queue: ready and waiting for a worker.";
    SCHEDULER_LAG = Histogram "scheduler_lag_seconds" ["runtime"] in DELAY_SECONDS,
        Seconds, Some(Runtime), Always,
        "Time from waking an empty probe task to its first poll. Sampled: at most one probe is in flight.";
    LOCAL_QUEUE_DEPTH = Gauge "local_queue_depth" ["runtime"],
        None, Some(Runtime), TokioUnstable,
        "Tasks in the workers' local queues.";
    TASK_POLLS_TOTAL = Counter "task_polls_total" ["runtime"],
        None, Some(Runtime), TokioUnstable,
        "Task polls by the workers.";
    STEALS_TOTAL = Counter "steals_total" ["runtime"],
        None, Some(Runtime), TokioUnstable,
        "Tasks stolen by workers from each other's local queues.";
    STEAL_OPERATIONS_TOTAL = Counter "steal_operations_total" ["runtime"],
        None, Some(Runtime), TokioUnstable,
        "Times a worker stole tasks from another worker's local queue.";
    LOCAL_SCHEDULES_TOTAL = Counter "local_schedules_total" ["runtime"],
        None, Some(Runtime), TokioUnstable,
        "Tasks scheduled from a worker thread.";
    REMOTE_SCHEDULES_TOTAL = Counter "remote_schedules_total" ["runtime"],
        None, Some(Runtime), TokioUnstable,
        "Tasks scheduled from outside the worker threads.";
    OVERFLOWS_TOTAL = Counter "overflows_total" ["runtime"],
        None, Some(Runtime), TokioUnstable,
        "Times a worker's local queue overflowed.";
    NOOP_WAKES_TOTAL = Counter "noop_wakes_total" ["runtime"],
        None, Some(Runtime), TokioUnstable,
        "Times a worker woke and found no work.";
    FORCED_YIELDS_TOTAL = Counter "forced_yields_total" ["runtime"],
        None, Some(Runtime), TokioUnstable,
        "Times a task was forced to yield because its budget was exhausted.";
    IO_EVENTS_TOTAL = Counter "io_events_total" ["runtime"],
        None, Some(Runtime), TokioUnstable,
        "Ready events handled by the runtime's I/O driver.";
    BLOCKING_THREADS = Gauge "blocking_threads" ["runtime"],
        None, Some(BlockingPool), Always,
        "Threads of the blocking pool. With tokio_unstable: exact, from tokio. Otherwise, for a runtime set up by `configure_runtime`: exact while the pool is at rest. Otherwise (Linux): an upper bound from thread names, which also counts threads started by pool threads and adds up runtimes with the same thread name. Absent where unknown.";
    BLOCKING_THREADS_IDLE = Gauge "blocking_threads_idle" ["runtime"],
        None, Some(BlockingPool), Always,
        "Idle threads of the blocking pool. With tokio_unstable: exact, from tokio. Otherwise (Linux): sampled from thread stacks; a thread between two tasks counts as busy. Absent where unknown.";
    BLOCKING_THREADS_MAX = Gauge "blocking_threads_max" ["runtime"],
        None, Some(BlockingPool), Always,
        "Thread limit of the blocking pool, as set by `configure_runtime`, or else as given to the builder.";
    BLOCKING_TASKS = Gauge "blocking_tasks" ["route", "state"],
        None, Some(BlockingPool), Always,
        "Tasks submitted through this crate's `spawn_blocking`, queued or running.";
    BLOCKING_IN_PLACE = Gauge "blocking_in_place" ["route"],
        None, Some(BlockingPool), Always,
        "Calls of this crate's `block_in_place` in progress. Each occupies a thread of the blocking pool. Calls of tokio's own `block_in_place` are not seen.";
    BLOCKING_QUEUE_DEPTH = Gauge "blocking_queue_depth" ["runtime"],
        None, Some(BlockingPool), Always,
        "Tasks queued for the blocking pool. With tokio_unstable: exact, from tokio. Otherwise: a lower bound that counts only tasks submitted through this crate's `spawn_blocking`.";
    BLOCKING_PROBE_WAIT = Histogram "blocking_probe_wait_seconds" ["runtime"] in BLOCKING_SECONDS,
        Seconds, Some(BlockingPool), Always,
        "Time that empty probe tasks waited for a thread of the blocking pool. Sampled: at most one probe is in flight, and probes are sent only while the pool appears full or its state is unknown.";
    BLOCKING_PROBE_AGE = Gauge "blocking_probe_age_seconds" ["runtime"],
        Seconds, Some(BlockingPool), Always,
        "Time the probe in flight has waited for a thread of the blocking pool; 0 if there is none. A lower bound of the wait of every task queued after it.";
    BLOCKING_SATURATED_SECONDS = Counter "blocking_saturated_seconds_total" ["runtime"],
        Seconds, Some(BlockingPool), Always,
        "Time during which every thread the pool may have was busy and more tasks were queued. With tokio_unstable: from tokio's figures. Otherwise: from wrapped tasks and the probe. Sampled every 25 ms while the pool is full; increases during saturation, not only after it.";
    BLOCKING_QUEUE_WAIT = Histogram "blocking_queue_wait_seconds" ["route"] in BLOCKING_SECONDS,
        Seconds, Some(BlockingPool), Always,
        "Time from a call of this crate's `spawn_blocking` to the start of the task.";
    BLOCKING_RUN = Histogram "blocking_run_seconds" ["route"] in BLOCKING_SECONDS,
        Seconds, Some(BlockingPool), Always,
        "Run time of tasks submitted through this crate's `spawn_blocking`.";
    BUILD_INFO = Gauge "build_info" ["version", "tokio_unstable", "capture"],
        None, Option::None, Always,
        "Always 1. version: the version of this crate; tokio_unstable: whether tokio's unstable metrics are available; capture: how stacks of stuck threads are captured.";
    ROUTES_OVERFLOWED_TOTAL = Counter "routes_overflowed_total" [],
        None, Option::None, Always,
        "Requests labelled <overflow> because the limit on routes was reached.";
    FINDINGS_DROPPED_TOTAL = Counter "findings_dropped_total" [],
        None, Option::None, Always,
        "Findings evicted to make room for newer ones, and blocking polls or log events dropped for lack of space.";
    CAPTURES_TOTAL = Counter "captures_total" ["result"],
        None, Option::None, Always,
        "Attempts to capture the stack of a blocking poll. exact, approximate, incomplete: how reliable the stack is; moved: the thread ran on during the capture; unreadable: the thread could not be read; limited: the capture rate limit was reached; panicked: a bug in this crate, without other consequences.";
    INTERRUPTED_CALLS_TOTAL = Counter "interrupted_calls_total" [],
        None, Option::None, Always,
        "System calls of the service that failed because of a signal sent under `interrupt_running_threads`. Always 0 without that option.";
    WATCHDOG_LATENESS = Histogram "watchdog_lateness_seconds" [] in DELAY_SECONDS,
        Seconds, Option::None, Always,
        "How late the watchdog thread woke: scheduling delay of the machine.";
    EXPORTER_REFUSED_TOTAL = Counter "exporter_connections_refused_total" [],
        None, Option::None, Always,
        "Connections the exporter closed at once, because too many were open or accepting failed.";
    SERIES = Gauge "series" [],
        None, Option::None, Always,
        "Time series on this page, including every histogram bucket.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_prometheus_rules() {
        for metric in METRICS {
            let Metric {
                name, kind, unit, ..
            } = metric;
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            let bare = name.trim_end_matches("_total");
            assert_eq!(bare.ends_with("_seconds"), *unit == Unit::Seconds, "{name}");
            assert_eq!(
                metric.buckets.is_empty(),
                *kind != Kind::Histogram,
                "{name}"
            );
            assert!(metric.buckets.is_sorted_by(|a, b| a < b), "{name}");
            assert!(metric.help.ends_with('.'), "{name}");
        }
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = METRICS.iter().map(|m| m.name).collect();
        assert_eq!(names.len(), METRICS.len());
    }
}
