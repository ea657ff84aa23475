//! Every threshold, once: alerts fire on them, panels are coloured by them,
//! the runbook and the README are checked against them.

/// Where yellow and red begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    pub name: &'static str,
    pub warning: f64,
    pub critical: Option<f64>,
    /// The histogram it is about, of which it has to be a bound: between two
    /// bounds nothing is known.
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
    /// Share of the workers' time in handlers that block.
    WORKER_TIME_LOST = 0.05, Some(0.25), None;
    /// Seconds a second that one route blocks workers of one instance for.
    ROUTE_BLOCKS = 0.01, None, None;
    /// p99 of how long a ready task waits for a worker.
    SCHEDULER_LAG = 0.05, Some(0.5), Some("scheduler_lag_seconds");
    /// p99 of how long a woken request waits for its poll.
    SCHEDULE_DELAY = 0.05, Some(0.5), Some("schedule_delay_seconds");
    /// Share of the pool's threads at work.
    POOL_BUSY = 0.8, Some(0.95), None;
    /// Share of time in which the pool was full with work waiting.
    POOL_SATURATED = 0.1, Some(0.5), None;
    /// p99 of how long work waits for a thread of the pool.
    POOL_QUEUE_WAIT = 0.1, Some(1.0), Some("blocking_queue_wait_seconds");
    /// The same, by the probe.
    POOL_PROBE_WAIT = 0.1, Some(1.0), Some("blocking_probe_wait_seconds");
    /// How long the probe has waited and still does: nothing of the pool moves.
    POOL_STUCK = 10.0, Some(10.0), Some("blocking_probe_wait_seconds");
    /// Share of the workers' time not parked.
    WORKERS_BUSY = 0.9, None, None;
    /// Age of a stalled poll, in seconds: its worker is called stuck.
    WORKER_STUCK = 5.0, Some(30.0), Some("poll_duration_seconds");
    /// A poll that lasts longer is slow. The crate's default threshold.
    SLOW_POLL = 0.01, None, Some("poll_duration_seconds");
    /// p99 of the watchdog's lateness: the machine is short of processors.
    MACHINE_LATE = 0.01, Some(0.1), Some("watchdog_lateness_seconds");
    /// Polls a request should not last longer than: half a second is felt.
    REQUEST_DURATION = 0.5, Some(2.5), Some("request_duration_seconds");
}

/// A pair of windows of the burn rate: how many times faster than allowed the
/// budget of slow polls is used up, over both windows.
#[derive(Clone, Copy, Debug)]
pub struct Burn {
    pub long: &'static str,
    pub short: &'static str,
    pub factor: f64,
    pub severity: &'static str,
    pub wait: &'static str,
}

/// As Google's SRE workbook has them for a budget of 30 days: 2 % of it in an
/// hour, 5 % in six hours, 10 % in a day and in three days.
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

/// Slow polls in the short window below which the burn rate says nothing: one
/// slow poll of a service with ten requests an hour is not a trend.
pub const BURN_LEAST: f64 = 10.0;
