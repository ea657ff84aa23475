//! One or a few instances: workers, queues, stalls, and the health of the
//! monitoring itself.

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
    status(&mut panels);
    workers(&mut panels);
    stalls(&mut panels);
    unstable(&mut panels);
    monitoring(&mut panels);
    frame(
        config,
        INSTANCE,
        "Runtime health / Workers and instance",
        "The runtime of an instance: whether its workers are stuck, busy or starved of CPU, and which tasks wait for them.",
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
const LATENESS: &str = "watchdog_lateness_seconds";
const LAG: &str = "scheduler_lag_seconds";

fn status(panels: &mut Vec<Panel>) {
    let lost = format!(
        "max(sum by (job, instance) (rate(<blocking_seconds_total>{{@, {NOT_THE_HANDLER}}}[$__rate_interval])) \
         / (sum by (job, instance) (<workers>{{@}}) > 0))"
    );
    panels.extend([
        Panel::row("Is it healthy?"),
        Panel::stat("Scraped", "Share of the selected instances that answer their scrape. Good: 100 %. The exporter answers even while every worker is stuck, so a failed scrape means the process is down or unreachable.")
            .query("avg(up{@} and on (job, instance) max_over_time(<build_info>{@}[$__range]))", "Scrape success")
            .unit(Unit::Share),
        Panel::stat("Worker time lost", "Share of worker time spent in blocking handlers, worst instance. Good: under 1 %.")
            .query(lost, "Worst instance")
            .unit(Unit::Share).thresholds(at::WORKER_TIME_LOST),
        Panel::stat("Scheduler lag p99", "Time a ready task waits for a worker, worst runtime. Good: under 5 ms.")
            .query(format!("max({})", quantile(0.99, "job, instance, runtime", LAG)), "Worst runtime")
            .unit(Unit::Seconds).thresholds(at::SCHEDULER_LAG),
        Panel::stat("Longest stall now", "Age of the oldest poll that is blocking a worker. Good: 0. Several seconds: open /findings.")
            .query("max(<longest_stall_seconds>{@})", "Worst instance")
            .unit(Unit::Seconds).thresholds(at::WORKER_STUCK),
        Panel::stat("Workers", "Worker threads of the selected runtimes. Good: no more than the CPUs available to the process.")
            .query("sum(<workers>{@})", "Workers"),
        Panel::stat("Machine delay p99", "How late the watchdog thread woke, worst instance. Good: under 1 ms. High: the machine is short of CPU, and no handler is to blame.")
            .query(format!("max({})", quantile(0.99, "job, instance", LATENESS)), "Worst instance")
            .unit(Unit::Seconds).thresholds(at::MACHINE_LATE),
    ]);
}

fn workers(panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Are its workers busy, and do tasks wait for them?"),
        Panel::lines("Busy time by worker", "Share of time a worker was not parked; the 20 busiest. Good: balanced, and under 70 %. A worker at 0 is idle or stuck, because tokio adds busy time when a busy period ends: check the stalls below.")
            .query("topk(20, clamp_max(sum by (job, instance, runtime, worker) (rate(<worker_busy_seconds_total>{@}[$__rate_interval])), 1))", "{{job}} {{instance}} {{runtime}} {{worker}}")
            .unit(Unit::Share).thresholds(at::WORKERS_BUSY).up_to_one(),
        Panel::lines("Parks by worker", "Times per second a worker ran out of work; the 20 highest. Good: high, which means spare capacity. Near 0 with high busy time: saturated.")
            .query("topk(20, sum by (job, instance, runtime, worker) (rate(<worker_parks_total>{@}[$__rate_interval])))", "{{job}} {{instance}} {{runtime}} {{worker}}")
            .unit(Unit::PerSecond),
        Panel::lines("Scheduler lag", "Median and p99 of the time a ready task waits for a worker. Good: p99 under 5 ms. High p99 with low median: blocking. Both high: too few workers.")
            .query(format!("topk(10, {})", quantile(0.99, "job, instance, runtime", LAG)), "p99 {{job}} {{instance}} {{runtime}}")
            .query(format!("topk(10, {})", quantile(0.5, "job, instance, runtime", LAG)), "p50 {{job}} {{instance}} {{runtime}}")
            .unit(Unit::Seconds).thresholds(at::SCHEDULER_LAG),
        Panel::heatmap("Scheduler lag distribution", "Distribution of the time probe tasks waited for a worker. Good: one band at the bottom. A second band higher up comes from blocked workers.")
            .query(format!("sum by (le) (increase(<{LAG}_bucket>{{@}}[$__rate_interval]))"), "{{le}}")
            .unit(Unit::Seconds),
        Panel::lines("Injection queue", "Ready tasks in the runtime's injection queue. Good: near 0. This gauge is current even while workers are stuck.")
            .query("topk(10, max by (job, instance, runtime) (<global_queue_depth>{@}))", RUNTIME),
        Panel::lines("Alive tasks", "Tasks that have not ended. Good: stable. If it grows while requests do not, tasks leak.")
            .query("topk(10, max by (job, instance, runtime) (<alive_tasks>{@}))", RUNTIME),
    ]);
}

fn stalls(panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Is a worker stuck?"),
        Panel::lines("Longest stall", "Age of the oldest poll that is blocking a worker at each scrape. Good: 0. A ramp is a single poll that does not return.")
            .query("topk(10, max by (job, instance) (<longest_stall_seconds>{@}))", "{{job}} {{instance}}")
            .unit(Unit::Seconds).thresholds(at::WORKER_STUCK).size(8, 8),
        Panel::lines("Stalled polls by route", "Polls that are blocking a worker at each scrape. Good: no line (empty when healthy).")
            .query("sum by (job, instance, route) (<stalled_polls>{@}) > 0", "{{job}} {{instance}} {{route}}").size(8, 8),
        Panel::stack("Blocked time by cause", "Time in blocking polls by cause, in seconds per second. Good: near 0. preempted means the machine is short of CPU; block_in_place holds up no other task.")
            .query("sum by (cause) (rate(<blocking_seconds_total>{@}[$__rate_interval]))", "{{cause}}")
            .unit(Unit::Seconds).size(8, 8),
    ]);
}

fn unstable(panels: &mut Vec<Panel>) {
    let note = |text: &str| format!("{text} The panels of this row are {EMPTY_WITHOUT_UNSTABLE}.");
    panels.extend([
        Panel::row("Metrics that need tokio_unstable"),
        Panel::lines("Task polls", &note("Polls of all tasks per second, including tasks outside the layer. Good: proportional to requests. Many more: a task wakes itself in a loop."))
            .query(by_runtime("task_polls_total"), RUNTIME).unit(Unit::PerSecond).size(8, 8),
        Panel::lines("Local queues", &note("Tasks in the workers' local queues. Good: near 0. Idle workers steal from long queues, so a queue stays long only if all workers are busy."))
            .query("topk(10, max by (job, instance, runtime) (<local_queue_depth>{@}))", RUNTIME).size(8, 8),
        Panel::lines("Steals", &note("Tasks stolen from another worker's queue, and steal operations, per second. Good: some. Very many: bursts on one worker, or a worker that is blocked and cannot drain its queue."))
            .query(by_runtime("steals_total"), "tasks {{job}} {{instance}} {{runtime}}")
            .query(by_runtime("steal_operations_total"), "operations {{job}} {{instance}} {{runtime}}")
            .unit(Unit::PerSecond).size(8, 8),
        Panel::lines("Tasks scheduled", &note("Tasks scheduled per second, from workers and from outside. Good: mostly from workers. Tasks from outside use the injection queue, which is slower."))
            .query(by_runtime("local_schedules_total"), "from workers {{job}} {{instance}} {{runtime}}")
            .query(by_runtime("remote_schedules_total"), "from outside {{job}} {{instance}} {{runtime}}")
            .unit(Unit::PerSecond).size(8, 8),
        Panel::lines("No-op wakes, forced yields, overflows", &note("Per second. Good: few. No-op wakes: a worker woke and found no work. Forced yields: a task exhausted its budget. Overflows: a worker's local queue was full."))
            .query(by_runtime("noop_wakes_total"), "no-op wakes {{job}} {{instance}} {{runtime}}")
            .query(by_runtime("forced_yields_total"), "forced yields {{job}} {{instance}} {{runtime}}")
            .query(by_runtime("overflows_total"), "overflows {{job}} {{instance}} {{runtime}}")
            .unit(Unit::PerSecond).size(8, 8),
        Panel::lines("I/O events", &note("Ready events handled by the I/O driver per second. Good: proportional to traffic. None while clients wait: no worker is free to run the driver."))
            .query(by_runtime("io_events_total"), RUNTIME).unit(Unit::PerSecond).size(8, 8),
    ]);
}

fn monitoring(panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Is the monitoring itself healthy?"),
        Panel::table("Builds", "Version of the crate, whether tokio's unstable metrics are available, and how stacks of stuck threads are captured. Good: one version, and capture blocked+running or at least blocked. With state or none, findings have no location.")
            .query("sum by (version, tokio_unstable, capture) (<build_info>{@})", "")
            .columns(vec![
                Column::label("version", "Version").width(80),
                Column::label("tokio_unstable", "tokio_unstable").width(130),
                Column::label("capture", "Capture").width(150),
                Column::value("Value", "Instances", Unit::Count),
            ])
            .size(8, 8),
        Panel::stack("Stack captures", "Attempts per second to capture the stack of a blocking poll, by result. Good: exact or limited. limited means the rate limit was reached (captures_per_second, capture_interval). For unreadable, see the column Capture of the table Builds.")
            .query("sum by (result) (rate(<captures_total>{@}[$__rate_interval]))", "{{result}}")
            .unit(Unit::PerSecond).size(8, 8),
        Panel::lines("Dropped and refused", "Per second: dropped findings, connections refused by the exporter, and system calls of the service that failed because of a capture signal (0 unless interrupt_running_threads is on). Good: 0.")
            .query("sum(rate(<findings_dropped_total>{@}[$__rate_interval]))", "findings dropped")
            .query("sum(rate(<exporter_connections_refused_total>{@}[$__rate_interval]))", "connections refused")
            .query("sum(rate(<interrupted_calls_total>{@}[$__rate_interval]))", "calls interrupted")
            .unit(Unit::PerSecond).size(8, 8),
        Panel::lines("Machine delay p99", "How late the watchdog thread woke; the ten worst instances. Good: under 1 ms. If it is high together with lag, give the process more CPU.")
            .query(format!("topk(10, {})", quantile(0.99, "job, instance", LATENESS)), "{{job}} {{instance}}")
            .unit(Unit::Seconds).thresholds(at::MACHINE_LATE),
        Panel::lines("Series", "Time series of these metrics per instance. Good: stable. Growing: routes are not templates. For large fleets, see Detail::Lean.")
            .query("topk(10, max by (job, instance) (<series>{@}))", "{{job}} {{instance}}"),
    ]);
}
