//! All thresholds. Alerts fire on them, panels are coloured by them, and tests
//! compare the runbook and the README with them.

/// The values at which yellow and red begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    pub name: &'static str,
    pub warning: f64,
    pub critical: Option<f64>,
    /// The histogram it applies to. It has to be a bucket bound of it: between two
    /// bounds a quantile is only interpolated.
    pub bound_of: Option<&'static str>,
}

macro_rules! thresholds {
    ($($(#[$doc:meta])* $id:ident = $warning:literal, $critical:expr, $bound_of:expr;)*) => {
        $(
            $(#[$doc])*
            pub const $id: Threshold = Threshold {
                name: stringify!($id),
                warning: $warning,
                critical: $critical,
                bound_of: $bound_of,
            };
        )*
        #[cfg(test)]
        pub const ALL: &[Threshold] = &[$($id),*];
    };
}

thresholds! {
    /// Share of worker time spent in blocking handlers.
    WORKER_TIME_LOST = 0.05, Some(0.25), None;
    /// Time for which one route blocks workers of one instance, in seconds per second.
    ROUTE_BLOCKS = 0.01, None, None;
    /// p99 of the time a ready task waits for a worker.
    SCHEDULER_LAG = 0.05, Some(0.5), Some("scheduler_lag_seconds");
    /// p99 of the time from a request's wake to its next poll.
    SCHEDULE_DELAY = 0.05, Some(0.5), Some("schedule_delay_seconds");
    /// Share of the pool's thread limit in use.
    POOL_BUSY = 0.8, Some(0.95), None;
    /// Share of time in which the pool was saturated.
    POOL_SATURATED = 0.1, Some(0.5), None;
    /// p99 of the time a task waits for a thread of the pool.
    POOL_QUEUE_WAIT = 0.1, Some(1.0), Some("blocking_queue_wait_seconds");
    /// The same, measured by the probe.
    POOL_PROBE_WAIT = 0.1, Some(1.0), Some("blocking_probe_wait_seconds");
    /// Age of a waiting probe, in seconds, from which the pool counts as stuck.
    POOL_STUCK = 10.0, Some(10.0), Some("blocking_probe_wait_seconds");
    /// Share of time in which workers are not parked.
    WORKERS_BUSY = 0.9, None, None;
    /// Age of a stalled poll, in seconds, from which its worker counts as stuck.
    WORKER_STUCK = 5.0, Some(30.0), Some("poll_duration_seconds");
    /// Duration from which a poll is slow: the crate's default threshold.
    SLOW_POLL = 0.01, None, Some("poll_duration_seconds");
    /// p99 of the watchdog's lateness, from which the machine is short of CPU.
    MACHINE_LATE = 0.01, Some(0.1), Some("watchdog_lateness_seconds");
    /// p99 of the request duration: users notice half a second.
    REQUEST_DURATION = 0.5, Some(2.5), Some("request_duration_seconds");
}

/// A burn rate over two windows: how many times faster than allowed the error
/// budget is burned.
#[derive(Clone, Copy, Debug)]
pub struct Burn {
    pub long: &'static str,
    pub short: &'static str,
    pub factor: f64,
    pub severity: &'static str,
    pub wait: &'static str,
}

/// The burn rates of Google's SRE workbook for a budget of 30 days: 2 % of it in
/// an hour, 5 % in six hours, 10 % in a day and in three days.
pub const BURNS: [Burn; 4] = [
    Burn {
        long: "1h",
        short: "5m",
        factor: 14.4,
        severity: "critical",
        wait: "2m",
    },
    Burn {
        long: "6h",
        short: "30m",
        factor: 6.0,
        severity: "critical",
        wait: "15m",
    },
    Burn {
        long: "1d",
        short: "2h",
        factor: 3.0,
        severity: "warning",
        wait: "1h",
    },
    Burn {
        long: "3d",
        short: "6h",
        factor: 1.0,
        severity: "warning",
        wait: "3h",
    },
];

/// Minimum number of slow polls in the short window: one slow poll of a service
/// with ten requests an hour is not a trend.
pub const BURN_LEAST: f64 = 10.0;
