//! The buckets of every histogram, in seconds. They are part of the contract
//! with dashboards and alerts: an alert's threshold is one of these bounds.

/// `poll_duration_seconds`.
pub(crate) const POLL_SECONDS: [f64; 12] = [
    0.000_01, 0.000_1, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// `request_duration_seconds`.
pub(crate) const REQUEST_SECONDS: [f64; 12] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// `schedule_delay_seconds`, `scheduler_lag_seconds`, `watchdog_lateness_seconds`.
pub(crate) const DELAY_SECONDS: [f64; 9] = [0.000_1, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// `blocking_queue_wait_seconds`, `blocking_run_seconds`.
pub(crate) const BLOCKING_SECONDS: [f64; 12] = [
    0.000_1, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Upper bounds in ticks, inclusive as Prometheus' `le` is.
pub(crate) type TickBounds<const N: usize> = [u64; N];

/// All bounds, converted once at start.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub(crate) poll: TickBounds<12>,
    pub(crate) request: TickBounds<12>,
    pub(crate) delay: TickBounds<9>,
    pub(crate) blocking: TickBounds<12>,
}

impl Bounds {
    /// `to_ticks` turns seconds into ticks of the clock in use.
    pub(crate) fn new(to_ticks: impl Fn(f64) -> u64) -> Self {
        Self {
            poll: POLL_SECONDS.map(&to_ticks),
            request: REQUEST_SECONDS.map(&to_ticks),
            delay: DELAY_SECONDS.map(&to_ticks),
            blocking: BLOCKING_SECONDS.map(&to_ticks),
        }
    }
}
