//! Every signal, once: what is recorded, for alerts and for the overview.
//!
//! Names are `level:metric:operation`; the level says which labels are left.
//! Levels with `route` in them are sparse: only what is above 0 is kept, so a
//! healthy fleet pays for its instances and not for its routes. Bucket rates
//! are kept instead of quantiles: they can be added up over instances.

/// One recording rule: its name without the namespace, its expression.
pub struct Recorded {
    pub name: &'static str,
    pub expr: &'static str,
}

/// A group of rules, evaluated in this order.
pub struct Group {
    pub name: &'static str,
    pub rules: &'static [Recorded],
}

/// Time in these does not count as lost: the worker had given its core away, or
/// the machine had none for it.
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
            // A stretch longer than a scrape is added when it ends, at once.
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
            // Gauges of now: they move while a worker is stuck, counters do not.
            "instance_route:stalled_polls:sum" =
                "sum by (@instance, route) (<stalled_polls>) > 0";
            "instance:longest_stall_seconds:max" =
                "max by (@instance) (<longest_stall_seconds>)";
        },
    },
    Group {
        name: "pool",
        rules: rules! {
            // Where idle threads are unknown, all count: they end after 10 s without work.
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
    // The long windows average what the first two record: a rate over three
    // days of every bucket of every route would read more samples than
    // Prometheus allows to.
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

/// The objective itself is recorded, so that there is one place to change it.
pub const OBJECTIVE: &str = "fleet:poll_objective:ratio";

/// Metrics of our own making in recorded names; the others are in the table.
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

/// Whether a rule has this name.
pub fn recorded(name: &str) -> bool {
    name == OBJECTIVE || rules().any(|rule| rule.name == name)
}

/// Whether a name is `level:metric:operation` of a metric that exists.
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
