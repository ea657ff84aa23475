//! The alerts. RUNBOOK.md has a section for each of them.

use crate::config::{Config, seconds};
use crate::dashboards::{INSTANCE, OVERVIEW, POOL, ROUTE};
use crate::signals::NOT_THE_HANDLER;
use crate::thresholds as at;

/// One alert at one severity.
pub struct Alert {
    pub name: &'static str,
    pub severity: &'static str,
    /// Labels in addition to the severity.
    pub labels: Vec<(&'static str, String)>,
    pub expr: String,
    pub wait: &'static str,
    pub summary: String,
    pub description: String,
    /// Uid of the dashboard to open first.
    pub dashboard: &'static str,
}

const WHERE: &str = "{{ $labels.instance }} of {{ $labels.job }}";

/// Returns all alerts in the order of the runbook.
pub fn all(config: &Config) -> Vec<Alert> {
    let mut alerts = Vec::new();
    executor(&mut alerts);
    pool(&mut alerts);
    stuck(&mut alerts);
    objective(config, &mut alerts);
    housekeeping(&mut alerts);
    alerts
}

/// Returns the same alert at both of its thresholds.
fn twice(
    threshold: at::Threshold,
    waits: [&'static str; 2],
    alert: impl Fn(f64, &'static str, &'static str) -> Alert,
) -> impl Iterator<Item = Alert> {
    let critical = threshold
        .critical
        .map(|value| alert(value, "critical", waits[1]));
    [alert(threshold.warning, "warning", waits[0])]
        .into_iter()
        .chain(critical)
}

fn executor(alerts: &mut Vec<Alert>) {
    alerts.extend(twice(at::WORKER_TIME_LOST, ["10m", "5m"], |value, severity, wait| Alert {
        name: "RuntimeHealthWorkerTimeLost",
        severity,
        labels: vec![],
        expr: format!("<instance:worker_time_lost:ratio_rate5m> > {value}"),
        wait,
        summary: format!("{WHERE} loses worker time to blocking handlers."),
        description: format!(
            "{{{{ $value | humanizePercentage }}}} of all worker time on {WHERE} was spent in blocking polls. Other requests on those workers had to wait."
        ),
        dashboard: INSTANCE,
    }));
    alerts.push(Alert {
        name: "RuntimeHealthRouteBlocks",
        severity: "warning",
        labels: vec![],
        // By the worst instance: one bad instance in a hundred must not be averaged away.
        expr: format!(
            "max by (@job, route, cause) (<instance_route_cause:blocking_seconds:rate5m>{{{NOT_THE_HANDLER}}}) > {}",
            at::ROUTE_BLOCKS.warning
        ),
        wait: "10m",
        summary: "Route {{ $labels.route }} of {{ $labels.job }} blocks the executor ({{ $labels.cause }}).".into(),
        description: "On the worst instance, handlers of {{ $labels.route }} block workers for {{ $value | humanizeDuration }} per second. The cause is {{ $labels.cause }}. /findings shows the line of code.".into(),
        dashboard: ROUTE,
    });
    alerts.extend(twice(at::SCHEDULER_LAG, ["10m", "5m"], |value, severity, wait| Alert {
        name: "RuntimeHealthSchedulerLag",
        severity,
        labels: vec![],
        expr: format!(
            "histogram_quantile(0.99, sum by (le, @instance, runtime) (<instance_runtime:scheduler_lag_seconds_bucket:rate5m>)) > {value}"
        ),
        wait,
        summary: format!("Ready tasks on {WHERE} wait too long for a worker."),
        description: format!(
            "The p99 of the time that a ready task of runtime {{{{ $labels.runtime }}}} on {WHERE} waits for a worker is {{{{ $value | humanizeDuration }}}}."
        ),
        dashboard: INSTANCE,
    }));
    alerts.push(Alert {
        name: "RuntimeHealthWorkersSaturated",
        severity: "warning",
        labels: vec![],
        expr: format!(
            "<instance_runtime:worker_busy:ratio_rate5m> > {}",
            at::WORKERS_BUSY.warning
        ),
        wait: "15m",
        summary: format!("The workers of {WHERE} are saturated."),
        description: format!(
            "The workers of runtime {{{{ $labels.runtime }}}} on {WHERE} are busy {{{{ $value | humanizePercentage }}}} of the time. More load only adds latency."
        ),
        dashboard: INSTANCE,
    });
}

fn pool(alerts: &mut Vec<Alert>) {
    alerts.push(Alert {
        name: "RuntimeHealthPoolNearlyFull",
        severity: "warning",
        labels: vec![],
        expr: format!("<instance_runtime:blocking_busy:ratio> > {}", at::POOL_BUSY.warning),
        wait: "5m",
        summary: format!("The blocking pool of {WHERE} is nearly full."),
        description: format!(
            "The blocking pool of runtime {{{{ $labels.runtime }}}} on {WHERE} uses {{{{ $value | humanizePercentage }}}} of its thread limit. At the limit, spawn_blocking, tokio::fs and DNS lookups queue."
        ),
        dashboard: POOL,
    });
    alerts.extend(twice(at::POOL_SATURATED, ["5m", "5m"], |value, severity, wait| Alert {
        name: "RuntimeHealthPoolSaturated",
        severity,
        labels: vec![],
        expr: format!("<instance_runtime:blocking_saturated_seconds:rate5m> > {value}"),
        wait,
        summary: format!("The blocking pool of {WHERE} is saturated: tasks are queueing."),
        description: format!(
            "For {{{{ $value | humanizePercentage }}}} of the time, all threads of the blocking pool of runtime {{{{ $labels.runtime }}}} on {WHERE} were busy and more tasks were queued."
        ),
        dashboard: POOL,
    }));
    alerts.push(Alert {
        name: "RuntimeHealthPoolQueueWait",
        severity: "warning",
        labels: vec![],
        // The probe also covers services that do not use this crate's spawn_blocking.
        expr: format!(
            "histogram_quantile(0.99, sum by (le, @instance) (<instance:blocking_queue_wait_seconds_bucket:rate5m>)) > {} \
             or histogram_quantile(0.99, sum by (le, @instance) (<instance:blocking_probe_wait_seconds_bucket:rate5m>)) > {}",
            at::POOL_QUEUE_WAIT.warning, at::POOL_PROBE_WAIT.warning
        ),
        wait: "5m",
        summary: format!("Tasks wait too long for a thread of the blocking pool of {WHERE}."),
        description: format!(
            "The p99 of the time that a task waits for a thread of the blocking pool of {WHERE} is {{{{ $value | humanizeDuration }}}}."
        ),
        dashboard: POOL,
    });
    alerts.push(Alert {
        name: "RuntimeHealthPoolStuck",
        severity: "critical",
        labels: vec![],
        expr: format!(
            "<instance_runtime:blocking_probe_age_seconds:max> > {}",
            at::POOL_STUCK.warning
        ),
        wait: "1m",
        summary: format!("The blocking pool of {WHERE} starts no tasks."),
        description: format!(
            "A probe task has been waiting for a thread of the blocking pool of runtime {{{{ $labels.runtime }}}} on {WHERE} for {{{{ $value | humanizeDuration }}}}. Every task queued after it is waiting too."
        ),
        dashboard: POOL,
    });
}

/// Alerts on gauges: the counters of a stuck worker do not increase, which looks
/// the same as an idle worker.
fn stuck(alerts: &mut Vec<Alert>) {
    alerts.push(Alert {
        name: "RuntimeHealthWorkerStuck",
        severity: "warning",
        labels: vec![],
        expr: format!(
            "<instance_route:stalled_polls:sum> > 0 and on (@instance) (<instance:longest_stall_seconds:max> > {})",
            at::WORKER_STUCK.warning
        ),
        wait: "1m",
        summary: format!("A worker of {WHERE} is stuck in {{{{ $labels.route }}}}."),
        description: format!(
            "{{{{ $value }}}} poll(s) of {{{{ $labels.route }}}} block workers of {WHERE}, and the oldest stalled poll of the instance is older than {} s. Each blocks one worker and the tasks queued on it.",
            at::WORKER_STUCK.warning
        ),
        dashboard: INSTANCE,
    });
    let long = at::WORKER_STUCK
        .critical
        .unwrap_or(at::WORKER_STUCK.warning);
    alerts.push(Alert {
        name: "RuntimeHealthLongStall",
        severity: "critical",
        labels: vec![],
        expr: format!("<instance:longest_stall_seconds:max> > {long}"),
        wait: "30s",
        summary: format!("A poll on {WHERE} has been blocking a worker for a long time."),
        description: format!(
            "A poll on {WHERE} has been blocking its worker for {{{{ $value | humanizeDuration }}}}. /findings shows the line of code."
        ),
        dashboard: INSTANCE,
    });
}

fn objective(config: &Config, alerts: &mut Vec<Alert>) {
    for burn in at::BURNS {
        let at::Burn {
            long,
            short,
            factor,
            severity,
            wait,
        } = burn;
        // The length of the window as written to the file, which may be shortened.
        let length = seconds(&config.window(short)).unwrap_or(1);
        alerts.push(Alert {
            name: "RuntimeHealthPollBudgetBurn",
            severity,
            labels: vec![("long", long.into()), ("short", short.into())],
            expr: format!(
                "<job:slow_polls:ratio_rate{long}> > {factor} * scalar(1 - <fleet:poll_objective:ratio>) \
                 and <job:slow_polls:ratio_rate{short}> > {factor} * scalar(1 - <fleet:poll_objective:ratio>) \
                 and avg_over_time(<job:slow_polls:rate5m>[{short}]) * {length} > {}",
                at::BURN_LEAST
            ),
            wait,
            summary: "{{ $labels.job }} has too many slow polls.".into(),
            description: format!(
                "{{{{ $value | humanizePercentage }}}} of the polls of {{{{ $labels.job }}}} in the last {long} took longer than 10 ms. This burns the error budget more than {factor} times as fast as the objective allows."
            ),
            dashboard: OVERVIEW,
        });
    }
}

fn housekeeping(alerts: &mut Vec<Alert>) {
    alerts.push(Alert {
        name: "RuntimeHealthMetricsMissing",
        severity: "warning",
        labels: vec![],
        // Still a target and had the metrics within the last day, but has none now.
        // An instance that was scaled down is no longer a target.
        expr: "max by (@instance) (up) and on (@instance) max by (@instance) (max_over_time(<build_info>[1d])) \
               unless on (@instance) max by (@instance) (<build_info>)"
            .into(),
        wait: "5m",
        summary: format!("The runtime metrics of {WHERE} are missing."),
        description: format!(
            "{WHERE} is still a scrape target and had runtime metrics within the last day, but has none now. No other alert can fire for it."
        ),
        dashboard: INSTANCE,
    });
    alerts.push(Alert {
        name: "RuntimeHealthRoutesOverflowed",
        severity: "info",
        labels: vec![],
        expr: "sum by (@instance) (rate(<routes_overflowed_total>[15m])) > 0".into(),
        wait: "15m",
        summary: format!("{WHERE} has more routes than max_routes."),
        description: format!(
            "{{{{ $value | humanize }}}} requests per second on {WHERE} are counted as route <overflow>, because the limit max_routes was reached."
        ),
        dashboard: ROUTE,
    });
}
