//! The fleet overview. It reads only recorded series, so it loads as fast for a
//! thousand instances as for one.

use serde_json::Value;

use super::fields::Column;
use super::frame::{dashboard as frame, row_link};
use super::panel::{Panel, Unit};
use super::{INSTANCE, OVERVIEW, ROUTE};
use crate::config::Config;
use crate::signals::NOT_THE_HANDLER;
use crate::thresholds as at;

pub fn dashboard(config: &Config) -> Value {
    let mut panels = Vec::new();
    status(config, &mut panels);
    location(&mut panels);
    onset(&mut panels);
    causes_and_effects(&mut panels);
    pool_and_machine(&mut panels);
    frame(
        config,
        OVERVIEW,
        "Runtime health / Fleet overview",
        "Which instances and routes block the executor, since when, why, and which requests are affected. Needs the recording rules of prometheus/rules.yml.",
        None,
        &panels,
    )
}

/// A quantile of a recorded histogram.
fn quantile(share: f64, by: &str, series: &str) -> String {
    format!("histogram_quantile({share}, sum by (le, {by}) (<{series}>{{@}}))")
}

const LAG: &str = "instance_runtime:scheduler_lag_seconds_bucket:rate5m";
const DELAY: &str = "instance:schedule_delay_seconds_bucket:rate5m";
const POLLS: &str = "instance:poll_duration_seconds_bucket:rate5m";

fn status(config: &Config, panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Is anything wrong?"),
        Panel::stat("Alerts firing", "Firing alerts of this set for the selection. Good: 0. Otherwise start with the table below. Each alert has a section in the runbook.")
            .query(r#"count(ALERTS{*, alertname=~"RuntimeHealth.+", alertstate="firing"}) or vector(0)"#, "Alerts")
            .thresholds(at::Threshold { name: "", warning: 1.0, critical: None, bound_of: None })
            .size(3, 4),
        Panel::stat("Instances", "Instances that export these metrics. Good: all running instances. If there are fewer, see the alert RuntimeHealthMetricsMissing.")
            .query("count(<instance:build_info:max>{@})", "Instances")
            .size(3, 4),
        Panel::stat("Worker time lost", "Share of worker time spent in blocking handlers, worst instance. Good: under 1 %. From 5 %, find the route below and fix the line that /findings shows.")
            .query("max(<instance:worker_time_lost:ratio_rate5m>{@})", "Worst instance")
            .unit(Unit::Share).thresholds(at::WORKER_TIME_LOST).size(4, 4),
        Panel::stat("Scheduler lag p99", "Time a ready task waits for a worker, worst instance. Good: under 5 ms. From 50 ms, every request is late: check whether handlers block or workers are busy.")
            .query(format!("max({})", quantile(0.99, "@instance, runtime", LAG)), "Worst instance")
            .unit(Unit::Seconds).thresholds(at::SCHEDULER_LAG).size(4, 4),
        Panel::stat("Longest stall now", "Age of the oldest poll that is blocking a worker. Good: 0. Several seconds mean a stuck worker: open /findings of that instance.")
            .query("max(<instance:longest_stall_seconds:max>{@})", "Worst instance")
            .unit(Unit::Seconds).thresholds(at::WORKER_STUCK).size(3, 4),
        Panel::stat("Pool in use", "Share of the blocking pool's thread limit in use, worst instance. Good: under 50 %. From 80 %, open the Blocking pool dashboard to see which tasks occupy it.")
            .query("max(<instance_runtime:blocking_busy:ratio>{@})", "Worst instance")
            .unit(Unit::Share).thresholds(at::POOL_BUSY).size(3, 4),
        Panel::stat("Polls under 10 ms", "Share of polls that took at most 10 ms, all selected instances. Good: above the objective (99.9 % by default). Below it, the error budget burns.")
            .query(format!("sum(<{POLLS}>{{@, le=\"0.01\"}}) / (sum(<{POLLS}>{{@, le=\"+Inf\"}}) > 0)"), "Under 10 ms")
            .unit(Unit::Share).decimals(3).size(4, 4),
        Panel::table("Alerts", "Firing alerts, most severe first. Good: no row (empty when healthy). The runbook says what to do about each.")
            .query(r#"sum by (severity, alertname, @instance, route, runtime) (ALERTS{*, alertname=~"RuntimeHealth.+", alertstate="firing"})"#, "")
            .columns(vec![
                Column::severity(),
                Column::label("alertname", "Alert").width(270).link("Runbook", config.runbook.clone()),
                Column::label("job", "Job").width(130),
                Column::label("instance", "Instance").width(170).link("Workers and instance", row_link(INSTANCE, &["job", "instance"])),
                Column::label("route", "Route").link("Route", row_link(ROUTE, &["job", "route"])),
                Column::label("runtime", "Runtime").width(90),
            ])
            .sort("Severity")
            .size(16, 8),
        Panel::text("What to do", "Steps from an alert to its fix.", format!(
            "1. **Alerts** shows what is wrong. The [runbook]({}) has a section for each alert.\n\
             2. **Instances** and **Routes that block** show where. Click a name to open its dashboard for the same time range.\n\
             3. `/findings` on the instance's metrics port shows the line of code, the system call and the remedy, even while every worker is stuck.\n\
             4. If tasks wait although no route blocks, the workers are busy or the machine is short of CPU: open **Workers and instance**.",
            config.runbook)),
    ]);
}

fn location(panels: &mut Vec<Panel>) {
    // The other columns of the 25 instances with the most lost time.
    let of_worst = |value: &str| {
        format!(
            "{value} and on (@instance) topk(25, <instance:worker_time_lost:ratio_rate5m>{{@}})"
        )
    };
    panels.extend([
        Panel::row("Where?"),
        Panel::table("Instances", "The 25 instances with the most lost worker time. Good: all green. If one is red, suspect its data or its machine. If all are red, suspect a release or a dependency.")
            .query("topk(25, max by (@instance) (<instance:worker_time_lost:ratio_rate5m>{@}))", "")
            .query(of_worst(&quantile(0.99, "@instance", LAG)), "")
            .query(of_worst("max by (@instance) (<instance:longest_stall_seconds:max>{@})"), "")
            .query(of_worst("max by (@instance) (<instance_runtime:worker_busy:ratio_rate5m>{@})"), "")
            .query(of_worst("max by (@instance) (<instance_runtime:blocking_busy:ratio>{@})"), "")
            .columns(vec![
                Column::label("job", "Job").width(110),
                Column::label("instance", "Instance").link("Workers and instance", row_link(INSTANCE, &["job", "instance"])),
                Column::value("Value #A", "Time lost", Unit::Share).thresholds(at::WORKER_TIME_LOST).width(85),
                Column::value("Value #B", "Lag p99", Unit::Seconds).thresholds(at::SCHEDULER_LAG).width(85),
                Column::value("Value #C", "Stall", Unit::Seconds).thresholds(at::WORKER_STUCK).width(85),
                Column::value("Value #D", "Workers", Unit::Share).thresholds(at::WORKERS_BUSY).width(85),
                Column::value("Value #E", "Pool", Unit::Share).thresholds(at::POOL_BUSY).width(85),
            ])
            .sort("Time lost")
            .size(12, 9),
        Panel::table("Routes that block", "Time for which each route blocks workers, in seconds per second, summed over all selected instances. Good: no row (empty when healthy). /findings shows the line of code and the remedy.")
            .query("topk(25, sum by (job, route, cause) (<instance_route_cause:blocking_seconds:rate5m>{@}))", "")
            .query("sum by (job, route, cause) (<instance_route_cause:blocking_polls:rate5m>{@}) and on (job, route, cause) topk(25, sum by (job, route, cause) (<instance_route_cause:blocking_seconds:rate5m>{@}))", "")
            .columns(vec![
                Column::label("job", "Job").width(110),
                Column::label("route", "Route").link("Route", row_link(ROUTE, &["job", "route"])),
                Column::label("cause", "Cause").width(120),
                Column::value("Value #A", "Seconds per second", Unit::Seconds).thresholds(at::ROUTE_BLOCKS).width(150),
                Column::value("Value #B", "Polls", Unit::PerSecond).width(100),
            ])
            .sort("Seconds per second")
            .size(12, 9),
    ]);
}

fn onset(panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Since when?"),
        Panel::lines("Worker time lost", "Share of worker time spent in blocking handlers; the ten worst instances. Good: near 0. A step often means a release or a slow dependency: compare it with the annotations.")
            .query("topk(10, <instance:worker_time_lost:ratio_rate5m>{@})", "{{job}} {{instance}}")
            .unit(Unit::Share).thresholds(at::WORKER_TIME_LOST),
        Panel::lines("Scheduler lag p99", "Time a ready task waits for a worker; the ten worst instances. Good: under 5 ms. If it rises with lost worker time, handlers block. Otherwise workers are busy or the machine is short of CPU.")
            .query(format!("topk(10, {})", quantile(0.99, "@instance, runtime", LAG)), "{{job}} {{instance}} {{runtime}}")
            .unit(Unit::Seconds).thresholds(at::SCHEDULER_LAG),
    ]);
}

fn causes_and_effects(panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Why, and which requests are affected?"),
        Panel::stack("Blocked time by cause", "Time in blocking polls by cause, in seconds per second. Good: near 0. preempted means the machine is short of CPU; block_in_place holds up no other task.")
            .query("sum by (cause) (<instance_cause:blocking_seconds:rate5m>{@})", "{{cause}}")
            .unit(Unit::Seconds).size(8, 8),
        Panel::lines("Routes that block", "Time for which a route blocks workers on its worst instance, in seconds per second; the ten worst. Good: no line (empty when healthy). Fix these routes first.")
            .query(format!("topk(10, max by (job, route) (sum by (@instance, route) (<instance_route_cause:blocking_seconds:rate5m>{{@, {NOT_THE_HANDLER}}})))"), "{{job}} {{route}}")
            .unit(Unit::Seconds).thresholds(at::ROUTE_BLOCKS).size(8, 8),
        Panel::lines("Requests that wake late", "Wakes per second after which a request waited more than 50 ms for its poll, by route. Usually another route is the cause. Good: no line (empty when healthy). Sampled (1 request in 8 by default).")
            .query("topk(10, sum by (job, route) (<instance_route:late_wakes:rate5m>{@}))", "{{job}} {{route}}")
            .unit(Unit::PerSecond).size(8, 8),
        Panel::lines("Delay of woken requests p99", "Time from a request's wake to its next poll, by instance; the ten worst. Good: under 5 ms. This is the latency that blocking adds to other requests.")
            .query(format!("topk(10, {})", quantile(0.99, "@instance", DELAY)), "{{job}} {{instance}}")
            .unit(Unit::Seconds).thresholds(at::SCHEDULE_DELAY).size(8, 8),
        Panel::lines("Slow polls", "Share of polls longer than 10 ms, by job. Good: under the error budget (0.1 % by default).")
            .query(format!("1 - sum by (@job) (<{POLLS}>{{@, le=\"0.01\"}}) / (sum by (@job) (<{POLLS}>{{@, le=\"+Inf\"}}) > 0)"), "{{job}}")
            .unit(Unit::Share).size(8, 8),
        Panel::stack("Requests by outcome", "Ended requests per second. Good: all completed. If cancelled rises with lag, clients give up waiting.")
            .query("sum by (outcome) (<instance_outcome:requests:rate5m>{@})", "{{outcome}}")
            .unit(Unit::RequestsPerSecond).size(8, 8),
    ]);
}

fn pool_and_machine(panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Is it the blocking pool or the machine?"),
        Panel::lines("Blocking pool in use", "Share of each pool's thread limit in use; the ten worst. Good: under 50 %. At 100 %, tasks queue: open the Blocking pool dashboard.")
            .query("topk(10, <instance_runtime:blocking_busy:ratio>{@})", "{{job}} {{instance}} {{runtime}}")
            .unit(Unit::Share).thresholds(at::POOL_BUSY).up_to_one().size(8, 8),
        Panel::lines("Blocking pool saturated", "Share of time in which all threads were busy and tasks were queued; the ten worst. Good: 0.")
            .query("topk(10, <instance_runtime:blocking_saturated_seconds:rate5m>{@})", "{{job}} {{instance}} {{runtime}}")
            .unit(Unit::Share).thresholds(at::POOL_SATURATED).up_to_one().size(8, 8),
        Panel::lines("Wait for the pool p99", "Time a task waits for a thread of the pool; the ten worst instances. Good: under 1 ms. Covers tasks submitted through this crate's spawn_blocking.")
            .query(format!("topk(10, {})", quantile(0.99, "@instance", "instance:blocking_queue_wait_seconds_bucket:rate5m")), "{{job}} {{instance}}")
            .unit(Unit::Seconds).thresholds(at::POOL_QUEUE_WAIT).size(8, 8),
        Panel::lines("Workers busy", "Share of time in which workers were not parked; the ten busiest runtimes. Good: under 70 %. Above 90 %, more load only adds latency. A stuck worker does not count until it is free again.")
            .query("topk(10, <instance_runtime:worker_busy:ratio_rate5m>{@})", "{{job}} {{instance}} {{runtime}}")
            .unit(Unit::Share).thresholds(at::WORKERS_BUSY).up_to_one().size(8, 8),
        Panel::lines("Machine delay p99", "How late the watchdog thread woke; the ten worst instances. Good: under 1 ms. High: the machine or its cgroup is short of CPU, and no handler is to blame.")
            .query(format!("topk(10, {})", quantile(0.99, "@instance", "instance:watchdog_lateness_seconds_bucket:rate5m")), "{{job}} {{instance}}")
            .unit(Unit::Seconds).thresholds(at::MACHINE_LATE).size(8, 8),
        Panel::lines("Pool probe waiting", "Time the probe in flight has waited for a thread of the pool. Good: 0. If it keeps growing, the pool makes no progress.")
            .query("topk(10, <instance_runtime:blocking_probe_age_seconds:max>{@})", "{{job}} {{instance}} {{runtime}}")
            .unit(Unit::Seconds).thresholds(at::POOL_STUCK).size(8, 8),
    ]);
}
