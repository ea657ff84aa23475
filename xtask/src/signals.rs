//! The recording rules, on which the alerts and the overview are built.
//!
//! Names are `level:metric:operation`; the level says which labels remain.
//! Levels with `route` are sparse: only values above 0 are recorded, so a healthy
//! fleet has series per instance but not per route. Bucket rates are recorded
//! instead of quantiles, because they can be summed over instances.

/// One recording rule: its name without the namespace, and its expression.
pub struct Recorded {
    pub name: &'static str,
    pub expr: &'static str,
}

/// A group of rules, which Prometheus evaluates in this order.
pub struct Group {
    pub name: &'static str,
    pub rules: &'static [Recorded],
}

/// Excludes the causes that do not count as lost worker time: either the worker
/// had handed over its core, or the machine had no CPU for it.
pub const NOT_THE_HANDLER: &str = r#"cause!~"block_in_place|preempted""#;

macro_rules! rules {
    ($($name:literal = $expr:literal;)*) => { &[$(Recorded { name: $name, expr: $expr }),*] };
}

pub const GROUPS: &[Group] = &[
    Group {
        name: "instance",
        rules: rules! {
            "instance:build_info:max" =
                "max by (@instance) (<build_info>)";
            "instance:workers:sum" =
                "sum by (@instance) (<workers>)";
            "instance_outcome:requests:rate5m" =
                "sum by (@instance, outcome) (rate(<requests_total>[5m]))";
            "instance:poll_duration_seconds_bucket:rate5m" =
                "sum by (le, @instance) (rate(<poll_duration_seconds_bucket>[5m]))";
            "instance:schedule_delay_seconds_bucket:rate5m" =
                "sum by (le, @instance) (rate(<schedule_delay_seconds_bucket>[5m]))";
            "instance_runtime:scheduler_lag_seconds_bucket:rate5m" =
                "sum by (le, @instance, runtime) (rate(<scheduler_lag_seconds_bucket>[5m]))";
            "instance:watchdog_lateness_seconds_bucket:rate5m" =
                "sum by (le, @instance) (rate(<watchdog_lateness_seconds_bucket>[5m]))";
            // A busy period longer than the scrape interval is added at once when it ends.
            "instance_runtime:worker_busy:ratio_rate5m" =
                "avg by (@instance, runtime) (clamp_max(rate(<worker_busy_seconds_total>[5m]), 1))";
        },
    },
    Group {
        name: "blocking",
        rules: rules! {
            "instance_cause:blocking_seconds:rate5m" =
                "sum by (@instance, cause) (rate(<blocking_seconds_total>[5m]))";
            "instance:blocking_seconds:rate5m" =
                "sum by (@instance) (rate(<blocking_seconds_total>{cause!~\"block_in_place|preempted\"}[5m]))";
            "instance:worker_time_lost:ratio_rate5m" =
                "<instance:blocking_seconds:rate5m> / (<instance:workers:sum> > 0)";
            "instance_route_cause:blocking_seconds:rate5m" =
                "sum by (@instance, route, cause) (rate(<blocking_seconds_total>[5m])) > 0";
            "instance_route_cause:blocking_polls:rate5m" =
                "sum by (@instance, route, cause) (rate(<blocking_polls_total>[5m])) > 0";
            "instance_route:late_wakes:rate5m" =
                "sum by (@instance, route) (rate(<schedule_delay_seconds_count>[5m])) \
                 - sum by (@instance, route) (rate(<schedule_delay_seconds_bucket>{le=\"0.05\"}[5m])) > 0";
            // Gauges, because the counters of a stuck worker do not increase.
            "instance_route:stalled_polls:sum" =
                "sum by (@instance, route) (<stalled_polls>) > 0";
            "instance:longest_stall_seconds:max" =
                "max by (@instance) (<longest_stall_seconds>)";
        },
    },
    Group {
        name: "pool",
        rules: rules! {
            // Where idle threads are unknown, all threads count. Idle ones end after 10 s.
            "instance_runtime:blocking_busy:ratio" =
                "clamp_min((max by (@instance, runtime) (<blocking_threads>) \
                 - max by (@instance, runtime) (<blocking_threads_idle>) \
                 or max by (@instance, runtime) (<blocking_threads>)) \
                 / (max by (@instance, runtime) (<blocking_threads_max>) > 0), 0)";
            "instance_runtime:blocking_saturated_seconds:rate5m" =
                "sum by (@instance, runtime) (rate(<blocking_saturated_seconds_total>[5m]))";
            "instance:blocking_queue_wait_seconds_bucket:rate5m" =
                "sum by (le, @instance) (rate(<blocking_queue_wait_seconds_bucket>[5m]))";
            "instance:blocking_probe_wait_seconds_bucket:rate5m" =
                "sum by (le, @instance) (rate(<blocking_probe_wait_seconds_bucket>[5m]))";
            "instance_runtime:blocking_probe_age_seconds:max" =
                "max by (@instance, runtime) (<blocking_probe_age_seconds>)";
        },
    },
    // The long windows average the first two rules: a rate over three days of
    // every bucket of every route would exceed Prometheus' sample limit.
    Group {
        name: "objective",
        rules: rules! {
            "job:polls:rate5m" =
                "sum by (@job) (<instance:poll_duration_seconds_bucket:rate5m>{le=\"+Inf\"})";
            "job:slow_polls:rate5m" =
                "<job:polls:rate5m> \
                 - sum by (@job) (<instance:poll_duration_seconds_bucket:rate5m>{le=\"0.01\"})";
            "job:slow_polls:ratio_rate5m" =
                "<job:slow_polls:rate5m> / (<job:polls:rate5m> > 0)";
            "job:slow_polls:ratio_rate30m" =
                "avg_over_time(<job:slow_polls:rate5m>[30m]) / (avg_over_time(<job:polls:rate5m>[30m]) > 0)";
            "job:slow_polls:ratio_rate1h" =
                "avg_over_time(<job:slow_polls:rate5m>[1h]) / (avg_over_time(<job:polls:rate5m>[1h]) > 0)";
            "job:slow_polls:ratio_rate2h" =
                "avg_over_time(<job:slow_polls:rate5m>[2h]) / (avg_over_time(<job:polls:rate5m>[2h]) > 0)";
            "job:slow_polls:ratio_rate6h" =
                "avg_over_time(<job:slow_polls:rate5m>[6h]) / (avg_over_time(<job:polls:rate5m>[6h]) > 0)";
            "job:slow_polls:ratio_rate1d" =
                "avg_over_time(<job:slow_polls:rate5m>[1d]) / (avg_over_time(<job:polls:rate5m>[1d]) > 0)";
            "job:slow_polls:ratio_rate3d" =
                "avg_over_time(<job:slow_polls:rate5m>[3d]) / (avg_over_time(<job:polls:rate5m>[3d]) > 0)";
        },
    },
];

/// The objective is itself recorded, so that it is changed in one place.
pub const OBJECTIVE: &str = "fleet:poll_objective:ratio";

/// Derived metrics in recorded names. All others are in the table of metrics.
#[cfg(test)]
const DERIVED: [&str; 6] = [
    "worker_busy",
    "worker_time_lost",
    "late_wakes",
    "blocking_busy",
    "polls",
    "slow_polls",
];

pub fn rules() -> impl Iterator<Item = &'static Recorded> {
    GROUPS.iter().flat_map(|group| group.rules)
}

/// Returns whether a rule has this name.
pub fn recorded(name: &str) -> bool {
    name == OBJECTIVE || rules().any(|rule| rule.name == name)
}

/// Returns whether a name is `level:metric:operation` of an existing metric.
#[cfg(test)]
pub fn well_named(name: &str) -> bool {
    use crate::expr::metric;
    let parts: Vec<_> = name.split(':').collect();
    let [level, middle, operation] = parts[..] else {
        return false;
    };
    let known = DERIVED.contains(&middle)
        || metric(middle).is_some()
        || metric(&format!("{middle}_total")).is_some();
    let levels = ["instance", "job", "fleet"];
    let level = level.split('_').next().is_some_and(|l| levels.contains(&l));
    level && known && !operation.is_empty()
}
