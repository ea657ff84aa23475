//! The fleet: reads recorded series only, so that it opens as quickly for a
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
    wrong(config, &mut panels);
    whereabouts(&mut panels);
    since_when(&mut panels);
    why(&mut panels);
    is_it_the_pool(&mut panels);
    frame(
        config,
        OVERVIEW,
        "Runtime health / Fleet overview",
        "Is a handler blocking its executor anywhere, where, since when, why, and who suffers. Recorded series only: load prometheus/rules.yml.",
        None,
        &panels,
    )
}

/// A quantile of what is recorded.
fn quantile(share: f64, by: &str, series: &str) -> String {
    format!("histogram_quantile({share}, sum by (le, {by}) (<{series}>{{@}}))")
}

const LAG: &str = "instance_runtime:scheduler_lag_seconds_bucket:rate5m";
const DELAY: &str = "instance:schedule_delay_seconds_bucket:rate5m";
const POLLS: &str = "instance:poll_duration_seconds_bucket:rate5m";

fn wrong(config: &Config, panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Is anything wrong?"),
        Panel::stat("Alerts firing", "Alerts of this set that fire for what is selected. Good: 0. Else begin with the table below; each alert has a section in the runbook.")
            .query(r#"count(ALERTS{*, alertname=~"RuntimeHealth.+", alertstate="firing"}) or vector(0)"#, "Alerts")
            .thresholds(at::Threshold { name: "", warning: 1.0, critical: None, bound_of: None })
            .size(3, 4),
        Panel::stat("Instances", "Instances that give these metrics. Good: as many as run. Fewer: look for the alert on missing metrics.")
            .query("count(<instance:build_info:max>{@})", "Instances")
            .size(3, 4),
        Panel::stat("Worker time lost", "Share of its workers' time that the worst instance loses to handlers that block. Good: under 1 %. From 5 % on, find the route below and repair what /findings names.")
            .query("max(<instance:worker_time_lost:ratio_rate5m>{@})", "Worst instance")
            .unit(Unit::Share).thresholds(at::WORKER_TIME_LOST).size(4, 4),
        Panel::stat("Scheduler lag p99", "How long a ready task waits for a worker, worst instance. Good: under 5 ms. From 50 ms on, every request is late: look whether time is lost to blocking or workers are just busy.")
            .query(format!("max({})", quantile(0.99, "@instance, runtime", LAG)), "Worst instance")
            .unit(Unit::Seconds).thresholds(at::SCHEDULER_LAG).size(4, 4),
        Panel::stat("Longest stall now", "Age of the oldest poll that blocks a worker at this moment. Good: 0. Seconds mean a worker is stuck: open /findings of that instance.")
            .query("max(<instance:longest_stall_seconds:max>{@})", "Worst instance")
            .unit(Unit::Seconds).thresholds(at::WORKER_STUCK).size(3, 4),
        Panel::stat("Pool in use", "Share of its threads in use, worst instance. Good: under 50 %. From 80 % on, see who holds them on the blocking pool's dashboard.")
            .query("max(<instance_runtime:blocking_busy:ratio>{@})", "Worst instance")
            .unit(Unit::Share).thresholds(at::POOL_BUSY).size(3, 4),
        Panel::stat("Polls under 10 ms", "Share of polls over within 10 ms, all selected instances. Good: above the objective (99.9 % unless you changed it). Below it the error budget burns.")
            .query(format!("sum(<{POLLS}>{{@, le=\"0.01\"}}) / (sum(<{POLLS}>{{@, le=\"+Inf\"}}) > 0)"), "Under 10 ms")
            .unit(Unit::Share).decimals(3).size(4, 4),
        Panel::table("Alerts", "What fires, for whom, worst first. Good: no row (empty when healthy). What to do about each is in the runbook.")
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
        Panel::text("What to do", "The way from an alert to its repair.", format!(
            "1. **Alerts** says what is wrong; the [runbook]({}) has a section for each.\n\
             2. **Instances** and **Routes that block** say where. A click on a name opens its dashboard with the same time.\n\
             3. `/findings` on the instance's metrics port names the line of code, the system call and the remedy, also while every worker is stuck.\n\
             4. No route blocks and tasks wait all the same? Then the workers are busy or the machine is short of CPU: **Workers and instance**.",
            config.runbook)),
    ]);
}

fn whereabouts(panels: &mut Vec<Panel>) {
    // The 25 that lose most, by the first column; the others' values for them.
    let of_worst = |value: &str| {
        format!(
            "{value} and on (@instance) topk(25, <instance:worker_time_lost:ratio_rate5m>{{@}})"
        )
    };
    panels.extend([
        Panel::row("Where?"),
        Panel::table("Instances", "The 25 instances that lose most of their workers' time. Good: all green. One red among many: that instance's data or neighbour; all red: a release or a dependency.")
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
        Panel::table("Routes that block", "Which handlers block a worker, and for how long of each second, all selected instances together. Good: no row (empty when healthy). The cause says what to replace; /findings says where.")
            .query("topk(25, sum by (job, route, cause) (<instance_route_cause:blocking_seconds:rate5m>{@}))", "")
            .query("sum by (job, route, cause) (<instance_route_cause:blocking_polls:rate5m>{@}) and on (job, route, cause) topk(25, sum by (job, route, cause) (<instance_route_cause:blocking_seconds:rate5m>{@}))", "")
            .columns(vec![
                Column::label("job", "Job").width(110),
                Column::label("route", "Route").link("Route", row_link(ROUTE, &["job", "route"])),
                Column::label("cause", "Cause").width(120),
                Column::value("Value #A", "Seconds a second", Unit::Seconds).thresholds(at::ROUTE_BLOCKS).width(150),
                Column::value("Value #B", "Polls", Unit::PerSecond).width(100),
            ])
            .sort("Seconds a second")
            .size(12, 9),
    ]);
}

fn since_when(panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Since when?"),
        Panel::lines("Worker time lost", "Share of each instance's worker time in handlers that block; the ten worst. Good: near 0. A step is a release or a dependency that became slow: compare its time with the annotations.")
            .query("topk(10, <instance:worker_time_lost:ratio_rate5m>{@})", "{{job}} {{instance}}")
            .unit(Unit::Share).thresholds(at::WORKER_TIME_LOST),
        Panel::lines("Scheduler lag p99", "How long ready tasks wait for a worker; the ten worst instances. Good: under 5 ms. Rises with lost time: blocking. Without: busy workers or a machine short of CPU.")
            .query(format!("topk(10, {})", quantile(0.99, "@instance, runtime", LAG)), "{{job}} {{instance}} {{runtime}}")
            .unit(Unit::Seconds).thresholds(at::SCHEDULER_LAG),
    ]);
}

fn why(panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Why, and who suffers?"),
        Panel::stack("Blocked time by cause", "What the blocked threads were doing, in seconds a second. Good: near 0. The cause names the remedy; preempted is the machine's fault, block_in_place nobody's.")
            .query("sum by (cause) (<instance_cause:blocking_seconds:rate5m>{@})", "{{cause}}")
            .unit(Unit::Seconds).size(8, 8),
        Panel::lines("Routes that block", "Time in which a route holds workers, in seconds a second, on its worst instance; the ten worst. Good: no line (empty when healthy). This is the list of what to repair.")
            .query(format!("topk(10, max by (job, route) (sum by (@instance, route) (<instance_route_cause:blocking_seconds:rate5m>{{@, {NOT_THE_HANDLER}}})))"), "{{job}} {{route}}")
            .unit(Unit::Seconds).thresholds(at::ROUTE_BLOCKS).size(8, 8),
        Panel::lines("Requests that wake late", "Wakes of requests that waited more than 50 ms for a worker, per second, by route: mostly innocent ones. Good: no line (empty when healthy). It measures a sample of the requests (1 in 8 by default).")
            .query("topk(10, sum by (job, route) (<instance_route:late_wakes:rate5m>{@}))", "{{job}} {{route}}")
            .unit(Unit::PerSecond).size(8, 8),
        Panel::lines("Delay of woken requests p99", "From a wake to the poll that follows, by instance; the ten worst. Good: under 5 ms. What users feel of somebody else's blocking.")
            .query(format!("topk(10, {})", quantile(0.99, "@instance", DELAY)), "{{job}} {{instance}}")
            .unit(Unit::Seconds).thresholds(at::SCHEDULE_DELAY).size(8, 8),
        Panel::lines("Slow polls", "Share of polls longer than 10 ms by job. Good: under what the objective leaves (0.1 % unless you changed it).")
            .query(format!("1 - sum by (@job) (<{POLLS}>{{@, le=\"0.01\"}}) / (sum by (@job) (<{POLLS}>{{@, le=\"+Inf\"}}) > 0)"), "{{job}}")
            .unit(Unit::Share).size(8, 8),
        Panel::stack("Requests by outcome", "Requests ended a second. Good: all completed. Cancelled rising with lag: clients give up waiting.")
            .query("sum by (outcome) (<instance_outcome:requests:rate5m>{@})", "{{outcome}}")
            .unit(Unit::RequestsPerSecond).size(8, 8),
    ]);
}

fn is_it_the_pool(panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Is it the blocking pool, or the machine?"),
        Panel::lines("Blocking pool in use", "Share of the threads a pool may have; the ten worst. Good: under 50 %. At 100 % work waits: see who holds the threads on the blocking pool's dashboard.")
            .query("topk(10, <instance_runtime:blocking_busy:ratio>{@})", "{{job}} {{instance}} {{runtime}}")
            .unit(Unit::Share).thresholds(at::POOL_BUSY).up_to_one().size(8, 8),
        Panel::lines("Blocking pool saturated", "Share of time in which a pool was full and work waited; the ten worst. Good: 0.")
            .query("topk(10, <instance_runtime:blocking_saturated_seconds:rate5m>{@})", "{{job}} {{instance}} {{runtime}}")
            .unit(Unit::Share).thresholds(at::POOL_SATURATED).up_to_one().size(8, 8),
        Panel::lines("Wait for the pool p99", "How long work waits for a thread of the pool; the ten worst. Good: under 1 ms. Of tasks put there through this crate's spawn_blocking.")
            .query(format!("topk(10, {})", quantile(0.99, "@instance", "instance:blocking_queue_wait_seconds_bucket:rate5m")), "{{job}} {{instance}}")
            .unit(Unit::Seconds).thresholds(at::POOL_QUEUE_WAIT).size(8, 8),
        Panel::lines("Workers busy", "Share of time in which workers were not parked; the ten busiest. Good: under 70 %. Above 90 % more load only waits longer. A worker that is stuck does not show here until it gets free.")
            .query("topk(10, <instance_runtime:worker_busy:ratio_rate5m>{@})", "{{job}} {{instance}} {{runtime}}")
            .unit(Unit::Share).thresholds(at::WORKERS_BUSY).up_to_one().size(8, 8),
        Panel::lines("The machine's own delay p99", "How much later than it wanted a thread of ours woke, that waits for nobody; the ten worst. Good: under 1 ms. High: the machine or its cgroup is short of CPU, and no handler is to blame.")
            .query(format!("topk(10, {})", quantile(0.99, "@instance", "instance:watchdog_lateness_seconds_bucket:rate5m")), "{{job}} {{instance}}")
            .unit(Unit::Seconds).thresholds(at::MACHINE_LATE).size(8, 8),
        Panel::lines("Pool probe waiting", "How long the probe that is out has waited for a thread of the pool. Good: 0. Growing without end: nothing of the pool moves.")
            .query("topk(10, <instance_runtime:blocking_probe_age_seconds:max>{@})", "{{job}} {{instance}} {{runtime}}")
            .unit(Unit::Seconds).thresholds(at::POOL_STUCK).size(8, 8),
    ]);
}
