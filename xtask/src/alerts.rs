//! The alerts. RUNBOOK.md has a section for each name.

use crate::config::{Config, seconds};
use crate::dashboards::{INSTANCE, OVERVIEW, POOL, ROUTE};
use crate::signals::NOT_THE_HANDLER;
use crate::thresholds as at;

/// One alert, in one severity.
pub struct Alert {
    pub name: &'static str,
    pub severity: &'static str,
    /// Beside the severity.
    pub labels: Vec<(&'static str, String)>,
    pub expr: String,
    pub wait: &'static str,
    pub summary: String,
    pub description: String,
    /// Where to look first.
    pub dashboard: &'static str,
}

const WHERE: &str = "{{ $labels.instance }} of {{ $labels.job }}";

/// In the order of the runbook.
pub fn all(config: &Config) -> Vec<Alert> {
    let mut alerts = Vec::new();
    executor(&mut alerts);
    pool(&mut alerts);
    stuck(&mut alerts);
    objective(config, &mut alerts);
    housekeeping(&mut alerts);
    alerts
}

/// The same alert at both of its thresholds, which stand for `{}`.
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
        summary: format!("{WHERE} loses worker time to handlers that block."),
        description: format!(
            "{{{{ $value | humanizePercentage }}}} of the time of all workers of {WHERE} went into polls that blocked them; every other request on those workers waited."
        ),
        dashboard: INSTANCE,
    }));
    alerts.push(Alert {
        name: "RuntimeHealthRouteBlocks",
        severity: "warning",
        labels: vec![],
        // The worst instance, so that one of a hundred is seen.
        expr: format!(
            "max by (@job, route, cause) (<instance_route_cause:blocking_seconds:rate5m>{{{NOT_THE_HANDLER}}}) > {}",
            at::ROUTE_BLOCKS.warning
        ),
        wait: "10m",
        summary: "Route {{ $labels.route }} of {{ $labels.job }} blocks its executor ({{ $labels.cause }}).".into(),
        description: "On its worst instance, handlers of {{ $labels.route }} block a worker for {{ $value | humanizeDuration }} of every second; cause: {{ $labels.cause }}. /findings names the line.".into(),
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
        summary: format!("Ready tasks of {WHERE} wait for a worker."),
        description: format!(
            "One in a hundred ready tasks of runtime {{{{ $labels.runtime }}}} on {WHERE} waits {{{{ $value | humanizeDuration }}}} or more until a worker polls it."
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
        summary: format!("The workers of {WHERE} are busy nearly all the time."),
        description: format!(
            "The workers of runtime {{{{ $labels.runtime }}}} on {WHERE} are busy {{{{ $value | humanizePercentage }}}} of the time: more load will only wait longer."
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
            "{{{{ $value | humanizePercentage }}}} of the threads that the blocking pool of runtime {{{{ $labels.runtime }}}} on {WHERE} may have are in use. When all are, spawn_blocking, tokio::fs and DNS look-ups wait."
        ),
        dashboard: POOL,
    });
    alerts.extend(twice(at::POOL_SATURATED, ["5m", "5m"], |value, severity, wait| Alert {
        name: "RuntimeHealthPoolSaturated",
        severity,
        labels: vec![],
        expr: format!("<instance_runtime:blocking_saturated_seconds:rate5m> > {value}"),
        wait,
        summary: format!("The blocking pool of {WHERE} is full and work waits for it."),
        description: format!(
            "For {{{{ $value | humanizePercentage }}}} of the time, all threads of the blocking pool of runtime {{{{ $labels.runtime }}}} on {WHERE} were at work and more work waited."
        ),
        dashboard: POOL,
    }));
    alerts.push(Alert {
        name: "RuntimeHealthPoolQueueWait",
        severity: "warning",
        labels: vec![],
        // The probe knows of services that do not use this crate's spawn_blocking.
        expr: format!(
            "histogram_quantile(0.99, sum by (le, @instance) (<instance:blocking_queue_wait_seconds_bucket:rate5m>)) > {} \
             or histogram_quantile(0.99, sum by (le, @instance) (<instance:blocking_probe_wait_seconds_bucket:rate5m>)) > {}",
            at::POOL_QUEUE_WAIT.warning, at::POOL_PROBE_WAIT.warning
        ),
        wait: "5m",
        summary: format!("Work for the blocking pool of {WHERE} waits for a thread."),
        description: format!(
            "One in a hundred tasks put on the blocking pool of {WHERE} waits {{{{ $value | humanizeDuration }}}} or more until a thread takes it."
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
        summary: format!("Nothing starts on the blocking pool of {WHERE}."),
        description: format!(
            "A probe has waited {{{{ $value | humanizeDuration }}}} for a thread of the blocking pool of runtime {{{{ $labels.runtime }}}} on {WHERE}, and still does; so does all that was put there since."
        ),
        dashboard: POOL,
    });
}

/// On gauges of now: while a worker is stuck its counters stand still, as they
/// do while it is idle.
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
            "{{{{ $value }}}} poll(s) of {{{{ $labels.route }}}} hold workers of {WHERE}, while its oldest stalled poll is older than {} s. Each holds one worker, and what waits on it.",
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
        summary: format!("A poll on {WHERE} does not end."),
        description: format!(
            "A poll on {WHERE} has held its worker for {{{{ $value | humanizeDuration }}}}, and still does. /findings shows where."
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
        // Polls in the window as it is in the file.
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
                "{{{{ $value | humanizePercentage }}}} of the polls of {{{{ $labels.job }}}} in the last {long} took longer than 10 ms: the budget of slow polls is used up more than {factor} times as fast as the objective allows."
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
        // Still a target, had the metrics within a day, has them no more. Scaled
        // down is no target any more.
        expr: "max by (@instance) (up) and on (@instance) max by (@instance) (max_over_time(<build_info>[1d])) \
               unless on (@instance) max by (@instance) (<build_info>)"
            .into(),
        wait: "5m",
        summary: format!("The runtime metrics of {WHERE} are missing."),
        description: format!(
            "{WHERE} is still scraped and had runtime metrics within the last day, but has none now. None of the other alerts can fire for it."
        ),
        dashboard: INSTANCE,
    });
    alerts.push(Alert {
        name: "RuntimeHealthRoutesOverflowed",
        severity: "info",
        labels: vec![],
        expr: "sum by (@instance) (rate(<routes_overflowed_total>[15m])) > 0".into(),
        wait: "15m",
        summary: format!("{WHERE} has more routes than are counted apart."),
        description: format!(
            "{{{{ $value | humanize }}}} requests a second on {WHERE} are counted under <overflow>: the cap on routes was reached."
        ),
        dashboard: ROUTE,
    });
}
