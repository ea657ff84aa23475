use tokio_metrics::RuntimeMetrics;

/// The further figures of tokio-metrics. Counters are summed; gauges hold the last reading.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnstableFigures {
    pub(crate) blocking_threads: usize,
    pub(crate) blocking_threads_idle: usize,
    pub(crate) blocking_queue_depth: usize,
    pub(crate) local_queue_depth: usize,
    pub(crate) task_polls: u64,
    pub(crate) steals: u64,
    pub(crate) steal_operations: u64,
    pub(crate) local_schedules: u64,
    pub(crate) remote_schedules: u64,
    pub(crate) overflows: u64,
    pub(crate) noop_wakes: u64,
    pub(crate) forced_yields: u64,
    pub(crate) io_events: u64,
}

impl UnstableFigures {
    pub(super) fn add(&mut self, interval: &RuntimeMetrics) {
        self.blocking_threads = interval.blocking_threads_count;
        self.blocking_threads_idle = interval.idle_blocking_threads_count;
        self.blocking_queue_depth = interval.blocking_queue_depth;
        self.local_queue_depth = interval.total_local_queue_depth;
        self.task_polls += interval.total_polls_count;
        self.steals += interval.total_steal_count;
        self.steal_operations += interval.total_steal_operations;
        self.local_schedules += interval.total_local_schedule_count;
        self.remote_schedules += interval.num_remote_schedules;
        self.overflows += interval.total_overflow_count;
        self.noop_wakes += interval.total_noop_count;
        self.forced_yields += interval.budget_forced_yield_count;
        self.io_events += interval.io_driver_ready_count;
    }
}
