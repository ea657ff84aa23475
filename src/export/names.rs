//! Every metric of the crate, in one table: name, type, help, unit, labels,
//! buckets. The collector, the README, the dashboards and the tests read it.

use crate::options::Family;
use crate::recorder::{BLOCKING_SECONDS, DELAY_SECONDS, POLL_SECONDS, REQUEST_SECONDS};

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name, without the namespace (`runtime_health_` by default).
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its help text. Says where the figure is a sample or a bound.
    pub help: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// Its labels, at full detail.
    pub labels: &'static [&'static str],
    /// Upper bounds of its buckets, without `+Inf`. Empty but for histograms.
    pub buckets: &'static [f64],
    /// Whose [`Detail`](crate::Detail) governs it. `None`: the crate's own
    /// health, always there.
    pub family: Option<Family>,
    /// When it is there.
    pub available: Available,
}

/// The type of a metric, as Prometheus has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "Prometheus' own words")]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    /// The word of the text format.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The unit of a metric. Only base units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// A count.
    None,
    /// Seconds.
    Seconds,
}

/// When a metric is there.
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
        "Requests ended. completed: the response was handed over to its end; error: the service or the body failed, or a poll panicked; cancelled: dropped before its end.";
    REQUESTS_IN_FLIGHT = Gauge "requests_in_flight" ["route"],
        None, Some(Requests), Always,
        "Requests begun and not ended.";
    REQUEST_DURATION = Histogram "request_duration_seconds" ["route", "method"] in REQUEST_SECONDS,
        Seconds, Some(Requests), Always,
        "Time from the call of the service to the end of the response body.";
    POLL_DURATION = Histogram "poll_duration_seconds" ["route", "method"] in POLL_SECONDS,
        Seconds, Some(Polls), Always,
        "Time of each poll of a request: the call of the service, polls of its future, polls of the response body.";
    SCHEDULE_DELAY = Histogram "schedule_delay_seconds" ["route"] in DELAY_SECONDS,
        Seconds, Some(Polls), Always,
        "Time from a wake of a request to the poll that follows. A sample of the requests; wakes by the polling task itself are left out.";
    BLOCKING_POLLS_TOTAL = Counter "blocking_polls_total" ["route", "method", "cause"],
        None, Some(Polls), Always,
        "Polls ended that lasted at least the threshold.";
    BLOCKING_SECONDS_TOTAL = Counter "blocking_seconds_total" ["route", "method", "cause"],
        Seconds, Some(Polls), Always,
        "Time in polls ended that lasted at least the threshold.";
    STALLED_POLLS = Gauge "stalled_polls" ["route"],
        None, Some(Polls), Always,
        "Polls in progress now that have lasted at least the threshold.";
    LONGEST_STALL = Gauge "longest_stall_seconds" [],
        Seconds, Some(Polls), Always,
        "Age of the oldest stalled poll, 0 without one.";
    WORKERS = Gauge "workers" ["runtime"],
        None, Some(Runtime), RuntimeMetrics,
        "Worker threads of the runtime.";
    WORKER_BUSY = Counter "worker_busy_seconds_total" ["runtime", "worker"],
        Seconds, Some(Runtime), RuntimeMetrics,
        "Time the worker was not parked. Tokio adds a stretch when it ends, so a stuck worker stands still.";
    WORKER_PARKS = Counter "worker_parks_total" ["runtime", "worker"],
        None, Some(Runtime), RuntimeMetrics,
        "Times the worker parked for want of work.";
    ALIVE_TASKS = Gauge "alive_tasks" ["runtime"],
        None, Some(Runtime), RuntimeMetrics,
        "Tasks of the runtime that have not ended.";
    GLOBAL_QUEUE_DEPTH = Gauge "global_queue_depth" ["runtime"],
        None, Some(Runtime), RuntimeMetrics,
        "Tasks in the runtime's injection queue, ready and waiting for a worker.";
    SCHEDULER_LAG = Histogram "scheduler_lag_seconds" ["runtime"] in DELAY_SECONDS,
        Seconds, Some(Runtime), Always,
        "Time from making an empty probe task ready to its first poll. A sample: at most one probe is out at a time.";
    LOCAL_QUEUE_DEPTH = Gauge "local_queue_depth" ["runtime"],
        None, Some(Runtime), TokioUnstable,
        "Tasks in the workers' own queues.";
    TASK_POLLS_TOTAL = Counter "task_polls_total" ["runtime"],
        None, Some(Runtime), TokioUnstable,
        "Polls of tasks by the workers.";
    STEALS_TOTAL = Counter "steals_total" ["runtime"],
        None, Some(Runtime), TokioUnstable,
        "Tasks that workers took from each other's queues.";
    STEAL_OPERATIONS_TOTAL = Counter "steal_operations_total" ["runtime"],
        None, Some(Runtime), TokioUnstable,
        "Times that workers took tasks from each other's queues.";
    LOCAL_SCHEDULES_TOTAL = Counter "local_schedules_total" ["runtime"],
        None, Some(Runtime), TokioUnstable,
        "Tasks made ready by a worker.";
    REMOTE_SCHEDULES_TOTAL = Counter "remote_schedules_total" ["runtime"],
        None, Some(Runtime), TokioUnstable,
        "Tasks made ready from outside of the workers.";
    OVERFLOWS_TOTAL = Counter "overflows_total" ["runtime"],
        None, Some(Runtime), TokioUnstable,
        "Times a worker's own queue was full.";
    NOOP_WAKES_TOTAL = Counter "noop_wakes_total" ["runtime"],
        None, Some(Runtime), TokioUnstable,
        "Times a worker woke and found no work.";
    FORCED_YIELDS_TOTAL = Counter "forced_yields_total" ["runtime"],
        None, Some(Runtime), TokioUnstable,
        "Times a task had to yield because its budget was used up.";
    IO_EVENTS_TOTAL = Counter "io_events_total" ["runtime"],
        None, Some(Runtime), TokioUnstable,
        "Ready events that the runtime's I/O driver has handled.";
    BLOCKING_THREADS = Gauge "blocking_threads" ["runtime"],
        None, Some(BlockingPool), Always,
        "Threads of the blocking pool. With tokio_unstable exact, from tokio. Else exact at rest for a runtime set up by configure; for others an upper bound, by the names of the process's threads (Linux): threads that a pool thread has started count too, and runtimes that name their threads alike add up. Absent where unknown.";
    BLOCKING_THREADS_IDLE = Gauge "blocking_threads_idle" ["runtime"],
        None, Some(BlockingPool), Always,
        "Threads of the blocking pool without work. With tokio_unstable exact, from tokio. Else a sample by the stacks of the threads (Linux), which takes a thread between two tasks for busy. Absent where unknown.";
    BLOCKING_THREADS_MAX = Gauge "blocking_threads_max" ["runtime"],
        None, Some(BlockingPool), Always,
        "Limit of the blocking pool, as set by configure, else as given to this crate's builder.";
    BLOCKING_TASKS = Gauge "blocking_tasks" ["route", "state"],
        None, Some(BlockingPool), Always,
        "Tasks put on the blocking pool through this crate's spawn_blocking, queued or running.";
    BLOCKING_IN_PLACE = Gauge "blocking_in_place" ["route"],
        None, Some(BlockingPool), Always,
        "Calls of this crate's block_in_place in progress; each takes a thread of the blocking pool. tokio's own are not seen.";
    BLOCKING_QUEUE_DEPTH = Gauge "blocking_queue_depth" ["runtime"],
        None, Some(BlockingPool), Always,
        "Tasks queued for the blocking pool. With tokio_unstable exact, from tokio. Else a lower bound: those put there through this crate's spawn_blocking.";
    BLOCKING_PROBE_WAIT = Histogram "blocking_probe_wait_seconds" ["runtime"] in BLOCKING_SECONDS,
        Seconds, Some(BlockingPool), Always,
        "Time that empty probe tasks waited for a thread of the blocking pool. A sample: at most one is out, and one is sent only while the pool looks full or nothing is known of it.";
    BLOCKING_PROBE_AGE = Gauge "blocking_probe_age_seconds" ["runtime"],
        Seconds, Some(BlockingPool), Always,
        "How long the probe that is out has waited, 0 without one: a lower bound of the wait of all that was put on the pool after it.";
    BLOCKING_SATURATED_SECONDS = Counter "blocking_saturated_seconds_total" ["runtime"],
        Seconds, Some(BlockingPool), Always,
        "Time in which every thread the pool may have was at work and more work waited. With tokio_unstable from tokio's figures, else from wrapped tasks and the probe; sampled every 25 ms while it is full. Moves while it goes on.";
    BLOCKING_QUEUE_WAIT = Histogram "blocking_queue_wait_seconds" ["route"] in BLOCKING_SECONDS,
        Seconds, Some(BlockingPool), Always,
        "Time from this crate's spawn_blocking to the start of the task.";
    BLOCKING_RUN = Histogram "blocking_run_seconds" ["route"] in BLOCKING_SECONDS,
        Seconds, Some(BlockingPool), Always,
        "Time from the start to the end of a task of this crate's spawn_blocking.";
    BUILD_INFO = Gauge "build_info" ["version", "tokio_unstable", "capture"],
        None, Option::None, Always,
        "Always 1. version of this crate; whether tokio shows its unstable figures; how stuck threads are read.";
    ROUTES_OVERFLOWED_TOTAL = Counter "routes_overflowed_total" [],
        None, Option::None, Always,
        "Requests labelled <overflow> because the cap on routes was reached.";
    FINDINGS_DROPPED_TOTAL = Counter "findings_dropped_total" [],
        None, Option::None, Always,
        "Findings that made room for newer ones, and blocking polls or log events that found no place.";
    CAPTURES_TOTAL = Counter "captures_total" ["result"],
        None, Option::None, Always,
        "Attempts to read the stack of a blocking poll. exact, approximate, incomplete: how sure the stack is; moved: the thread went on meanwhile; unreadable; limited: there had been too many; panicked: a bug, without other consequences.";
    INTERRUPTED_CALLS_TOTAL = Counter "interrupted_calls_total" [],
        None, Option::None, Always,
        "System calls of the service that failed because interrupt_running_threads was allowed to send a signal. 0 without that option.";
    WATCHDOG_LATENESS = Histogram "watchdog_lateness_seconds" [] in DELAY_SECONDS,
        Seconds, Option::None, Always,
        "How much later than it wanted the watchdog woke: the machine's own delay.";
    EXPORTER_REFUSED_TOTAL = Counter "exporter_connections_refused_total" [],
        None, Option::None, Always,
        "Connections the exporter closed at once because it had too many, or could not accept.";
    SERIES = Gauge "series" [],
        None, Option::None, Always,
        "Time series on this page, all buckets counted.";
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
    fn no_name_stands_twice() {
        let names: std::collections::BTreeSet<_> = METRICS.iter().map(|m| m.name).collect();
        assert_eq!(names.len(), METRICS.len());
    }
}
