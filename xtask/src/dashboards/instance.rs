//! One instance, or a few: its workers, its queues, its stalls, and whether
//! what watches it is well.

use serde_json::Value;

use super::fields::Column;
use super::frame::dashboard as frame;
use super::panel::{Panel, Unit};
use super::{EMPTY_WITHOUT_UNSTABLE, INSTANCE};
use crate::config::Config;
use crate::signals::NOT_THE_HANDLER;
use crate::thresholds as at;

pub fn dashboard(config: &Config) -> Value {
    let mut panels = Vec::new();
    now(&mut panels);
    workers(&mut panels);
    stalls(&mut panels);
    unstable(&mut panels);
    own_health(&mut panels);
    frame(
        config,
        INSTANCE,
        "Runtime health / Workers and instance",
        "The runtime of an instance: are its workers stuck, busy or starved, and what waits for them.",
        None,
        &panels,
    )
}

fn rate(series: &str) -> String {
    format!("rate(<{series}>{{@}}[$__rate_interval])")
}

fn by_runtime(series: &str) -> String {
    format!(
        "topk(10, sum by (job, instance, runtime) ({}))",
        rate(series)
    )
}

fn quantile(share: f64, by: &str, histogram: &str) -> String {
    let rate = rate(&format!("{histogram}_bucket"));
    format!("histogram_quantile({share}, sum by (le, {by}) ({rate}))")
}

const RUNTIME: &str = "{{job}} {{instance}} {{runtime}}";
const LATE: &str = "watchdog_lateness_seconds";
const LAG: &str = "scheduler_lag_seconds";

fn now(panels: &mut Vec<Panel>) {
    let lost = format!(
        "max(sum by (job, instance) (rate(<blocking_seconds_total>{{@, {NOT_THE_HANDLER}}}[$__rate_interval])) \
         / (sum by (job, instance) (<workers>{{@}}) > 0))"
    );
    panels.extend([
        Panel::row("Is it well?"),
        Panel::stat("Scraped", "Selected instances that answer their scrape, as a share. Good: 100 %. The exporter answers while every worker is stuck, so silence means the process is gone or unreachable.")
            .query("avg(up{@} and on (job, instance) max_over_time(<build_info>{@}[$__range]))", "Scraped")
            .unit(Unit::Share),
        Panel::stat("Worker time lost", "Share of the workers' time in handlers that block, worst instance. Good: under 1 %.")
            .query(lost, "Worst instance")
            .unit(Unit::Share).thresholds(at::WORKER_TIME_LOST),
        Panel::stat("Scheduler lag p99", "How long a ready task waits for a worker, worst runtime. Good: under 5 ms.")
            .query(format!("max({})", quantile(0.99, "job, instance, runtime", LAG)), "Worst runtime")
            .unit(Unit::Seconds).thresholds(at::SCHEDULER_LAG),
        Panel::stat("Longest stall now", "Age of the oldest poll that blocks a worker. Good: 0. Seconds: open /findings.")
            .query("max(<longest_stall_seconds>{@})", "Worst instance")
            .unit(Unit::Seconds).thresholds(at::WORKER_STUCK),
        Panel::stat("Workers", "Worker threads of the selected runtimes. Good: as many as the processors they really have.")
            .query("sum(<workers>{@})", "Workers"),
        Panel::stat("The machine's delay p99", "How late a thread of ours woke that waits for nobody. Good: under 1 ms. High: short of CPU, no handler is to blame.")
            .query(format!("max({})", quantile(0.99, "job, instance", LATE)), "Worst instance")
            .unit(Unit::Seconds).thresholds(at::MACHINE_LATE),
    ]);
}

fn workers(panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Are its workers busy, and what waits for them?"),
        Panel::lines("Busy time by worker", "Share of time a worker was not parked; the 20 busiest. Good: alike, and under 70 %. One at 0 beside busy ones is idle or stuck (its time is added when it gets free): look at the stalls.")
            .query("topk(20, clamp_max(sum by (job, instance, runtime, worker) (rate(<worker_busy_seconds_total>{@}[$__rate_interval])), 1))", "{{job}} {{instance}} {{runtime}} {{worker}}")
            .unit(Unit::Share).thresholds(at::WORKERS_BUSY).up_to_one(),
        Panel::lines("Parks by worker", "How often a worker found nothing to do; the 20 that do so most. Good: often, which is room for more. Near 0 with high busy time: saturated.")
            .query("topk(20, sum by (job, instance, runtime, worker) (rate(<worker_parks_total>{@}[$__rate_interval])))", "{{job}} {{instance}} {{runtime}} {{worker}}")
            .unit(Unit::PerSecond),
        Panel::lines("Scheduler lag", "Median and p99 of how long a ready task waits for a worker. Good: p99 under 5 ms. A high p99 over a low median is blocking; both high are too few workers.")
            .query(format!("topk(10, {})", quantile(0.99, "job, instance, runtime", LAG)), "p99 {{job}} {{instance}} {{runtime}}")
            .query(format!("topk(10, {})", quantile(0.5, "job, instance, runtime", LAG)), "p50 {{job}} {{instance}} {{runtime}}")
            .unit(Unit::Seconds).thresholds(at::SCHEDULER_LAG),
        Panel::heatmap("Scheduler lag, all of it", "How many probes waited how long. Good: one band at the bottom. A second band is what waited for a blocked worker.")
            .query(format!("sum by (le) (increase(<{LAG}_bucket>{{@}}[$__rate_interval]))"), "{{le}}")
            .unit(Unit::Seconds),
        Panel::lines("Injection queue", "Tasks ready and in nobody's queue. Good: near 0. It is a figure of now, and also moves while workers are stuck.")
            .query("topk(10, max by (job, instance, runtime) (<global_queue_depth>{@}))", RUNTIME),
        Panel::lines("Tasks alive", "Tasks that have not ended. Good: level. Growing without more requests: tasks that nobody ends.")
            .query("topk(10, max by (job, instance, runtime) (<alive_tasks>{@}))", RUNTIME),
    ]);
}

fn stalls(panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Is a worker stuck?"),
        Panel::lines("Longest stall", "Age of the oldest poll that blocks a worker, at each scrape. Good: 0. A ramp is one poll that does not end.")
            .query("topk(10, max by (job, instance) (<longest_stall_seconds>{@}))", "{{job}} {{instance}}")
            .unit(Unit::Seconds).thresholds(at::WORKER_STUCK).size(8, 8),
        Panel::lines("Stalled polls by route", "Polls that hold a worker at the moment of a scrape. Good: no line (empty when healthy).")
            .query("sum by (job, instance, route) (<stalled_polls>{@}) > 0", "{{job}} {{instance}} {{route}}").size(8, 8),
        Panel::stack("Blocked time by cause", "In seconds a second. Good: near 0. preempted: the machine is short of CPU; block_in_place holds nobody up.")
            .query("sum by (cause) (rate(<blocking_seconds_total>{@}[$__rate_interval]))", "{{cause}}")
            .unit(Unit::Seconds).size(8, 8),
    ]);
}

fn unstable(panels: &mut Vec<Panel>) {
    let note = |text: &str| format!("{text} Like its neighbours {EMPTY_WITHOUT_UNSTABLE}.");
    panels.extend([
        Panel::row("What tokio tells with tokio_unstable"),
        Panel::lines("Polls of tasks", &note("Polls of all tasks a second, those outside of the layer too. Good: in step with requests; many more: something wakes itself in a loop."))
            .query(by_runtime("task_polls_total"), RUNTIME).unit(Unit::PerSecond).size(8, 8),
        Panel::lines("Workers' own queues", &note("Tasks in the queues of the workers. Good: near 0; long with idle workers elsewhere is impossible for long, since they steal."))
            .query("topk(10, max by (job, instance, runtime) (<local_queue_depth>{@}))", RUNTIME).size(8, 8),
        Panel::lines("Steals", &note("Tasks taken from another worker's queue, and how often that was done, a second. Good: some. Very many: bursts that land on one worker, or a worker that does not come to its own queue."))
            .query(by_runtime("steals_total"), "tasks {{job}} {{instance}} {{runtime}}")
            .query(by_runtime("steal_operations_total"), "operations {{job}} {{instance}} {{runtime}}")
            .unit(Unit::PerSecond).size(8, 8),
        Panel::lines("Tasks made ready", &note("A second, by a worker and from outside. Good: mostly by workers; from outside goes through the injection queue, which is slower."))
            .query(by_runtime("local_schedules_total"), "worker {{job}} {{instance}} {{runtime}}")
            .query(by_runtime("remote_schedules_total"), "outside {{job}} {{instance}} {{runtime}}")
            .unit(Unit::PerSecond).size(8, 8),
        Panel::lines("Wakes for nothing, forced yields, overflows", &note("A second. Good: few. Forced yields: tasks that use up their budget; overflows: a worker's own queue was full."))
            .query(by_runtime("noop_wakes_total"), "no-op wakes {{job}} {{instance}} {{runtime}}")
            .query(by_runtime("forced_yields_total"), "forced yields {{job}} {{instance}} {{runtime}}")
            .query(by_runtime("overflows_total"), "overflows {{job}} {{instance}} {{runtime}}")
            .unit(Unit::PerSecond).size(8, 8),
        Panel::lines("I/O events", &note("Ready events that the I/O driver handled a second. Good: in step with traffic; none while clients wait: no worker gets to the driver."))
            .query(by_runtime("io_events_total"), RUNTIME).unit(Unit::PerSecond).size(8, 8),
    ]);
}

fn own_health(panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Is what watches it well?"),
        Panel::table("Builds", "Version of the crate, whether tokio shows its unstable figures, and how stuck threads are read. Good: one version; capture blocked+running, blocked at least. state or none: findings have no place.")
            .query("sum by (version, tokio_unstable, capture) (<build_info>{@})", "")
            .columns(vec![
                Column::label("version", "Version").width(80),
                Column::label("tokio_unstable", "tokio_unstable").width(130),
                Column::label("capture", "Capture").width(150),
                Column::value("Value", "Instances", Unit::Count),
            ])
            .size(8, 8),
        Panel::stack("Stacks read", "Attempts to read the stack of a blocking poll, a second, by result. Good: exact, and limited, which is that there had been enough lately (captures_per_second, capture_interval). unreadable: see capture beside this.")
            .query("sum by (result) (rate(<captures_total>{@}[$__rate_interval]))", "{{result}}")
            .unit(Unit::PerSecond).size(8, 8),
        Panel::lines("Dropped and refused", "A second: findings that made room for newer ones, connections the exporter refused, system calls of the service that its signal interrupted (0 unless allowed). Good: 0.")
            .query("sum(rate(<findings_dropped_total>{@}[$__rate_interval]))", "findings dropped")
            .query("sum(rate(<exporter_connections_refused_total>{@}[$__rate_interval]))", "connections refused")
            .query("sum(rate(<interrupted_calls_total>{@}[$__rate_interval]))", "calls interrupted")
            .unit(Unit::PerSecond).size(8, 8),
        Panel::lines("The machine's own delay p99", "How much later than it wanted a thread of ours woke. Good: under 1 ms. High together with lag: give the process CPU.")
            .query(format!("topk(10, {})", quantile(0.99, "job, instance", LATE)), "{{job}} {{instance}}")
            .unit(Unit::Seconds).thresholds(at::MACHINE_LATE),
        Panel::lines("Series", "Time series of these metrics an instance. Good: level. Growing: routes that are not templates; see detail(Lean) for large fleets.")
            .query("topk(10, max by (job, instance) (<series>{@}))", "{{job}} {{instance}}"),
    ]);
}
