//! The blocking pool: is it full, which tasks occupy it, which tasks wait?

use serde_json::Value;

use super::POOL;
use super::frame::{Routes, dashboard as frame};
use super::panel::{Panel, Unit};
use crate::config::Config;
use crate::thresholds as at;

pub fn dashboard(config: &Config) -> Value {
    let mut panels = Vec::new();
    utilization(&mut panels);
    running(&mut panels);
    queued(&mut panels);
    frame(
        config,
        POOL,
        "Runtime health / Blocking pool",
        "Whether a blocking pool is full, which tasks occupy its threads, and which tasks wait for them. The crate's docs/blocking-pool.md says how exact each figure is.",
        Some(&Routes("blocking_run_seconds_count")),
        &panels,
    )
}

/// A gauge by runtime.
fn gauge(name: &str) -> String {
    format!("max by (job, instance, runtime) (<{name}>{{@}})")
}

/// Busy threads. Where idle threads are unknown, all threads count.
fn busy() -> String {
    format!(
        "({0} - {1} or {0})",
        gauge("blocking_threads"),
        gauge("blocking_threads_idle")
    )
}

fn share_in_use() -> String {
    format!(
        "clamp_min({} / ({} > 0), 0)",
        busy(),
        gauge("blocking_threads_max")
    )
}

fn by_route(share: f64, by: &str, histogram: &str) -> String {
    format!(
        "histogram_quantile({share}, sum by (le{by}) (rate(<{histogram}_bucket>{{@, route=~\"$route\"}}[$__rate_interval])))"
    )
}

const RUNTIME: &str = "{{job}} {{instance}} {{runtime}}";

fn utilization(panels: &mut Vec<Panel>) {
    let saturated = "sum by (job, instance, runtime) (rate(<blocking_saturated_seconds_total>{@}[$__rate_interval]))";
    panels.extend([
        Panel::row("Is it full?"),
        Panel::stat("In use", "Share of the thread limit in use, fullest pool. Good: under 50 %. From 80 %, see below which tasks occupy the threads.")
            .query(format!("max({})", share_in_use()), "Fullest pool")
            .unit(Unit::Share).thresholds(at::POOL_BUSY),
        Panel::stat("Saturated", "Share of time in which all threads were busy and tasks were queued, worst pool. Good: 0.")
            .query(format!("max({saturated})"), "Worst pool")
            .unit(Unit::Share).thresholds(at::POOL_SATURATED),
        Panel::stat("Queued", "Tasks waiting for a thread, all selected instances. Good: 0. Without tokio_unstable this is a lower bound that counts only this crate's spawn_blocking.")
            .query("sum(<blocking_queue_depth>{@})", "Queued")
            .thresholds(at::Threshold { name: "", warning: 1.0, critical: None, bound_of: None }),
        Panel::stat("Wait p99", "Time from spawn_blocking to the start of the task, for the selected routes. Good: under 1 ms.")
            .query(by_route(0.99, "", "blocking_queue_wait_seconds"), "p99")
            .unit(Unit::Seconds).thresholds(at::POOL_QUEUE_WAIT),
        Panel::stat("Probe age", "Time the probe in flight has waited for a thread, worst pool. Good: 0. If it grows, the pool makes no progress: see /findings.")
            .query("max(<blocking_probe_age_seconds>{@})", "Worst pool")
            .unit(Unit::Seconds).thresholds(at::POOL_STUCK),
        Panel::stat("Run time p99", "Run time of a task, for the selected routes. Good: well under a second.")
            .query(by_route(0.99, "", "blocking_run_seconds"), "p99")
            .unit(Unit::Seconds),
        Panel::lines("Share in use", "Busy threads as a share of the thread limit. Good: under 50 %. At 100 %, everything that uses the pool queues: spawn_blocking, tokio::fs, DNS lookups.")
            .query(format!("topk(10, {})", share_in_use()), RUNTIME)
            .unit(Unit::Share).thresholds(at::POOL_BUSY).up_to_one(),
        Panel::lines("Share of time saturated", "Share of time in which all threads were busy and tasks were queued. Good: 0. It rises during saturation, not only afterwards.")
            .query(format!("topk(10, {saturated})"), RUNTIME)
            .unit(Unit::Share).thresholds(at::POOL_SATURATED).up_to_one(),
        Panel::lines("Threads", "Threads of the pool, idle threads, and the limit. Good: far below the limit. tokio ends a thread that has been idle for 10 s. Absent where unknown.")
            .query(format!("topk(10, {})", gauge("blocking_threads")), "threads {{job}} {{instance}} {{runtime}}")
            .query(format!("topk(10, {})", gauge("blocking_threads_idle")), "idle {{job}} {{instance}} {{runtime}}")
            .query(format!("topk(10, {})", gauge("blocking_threads_max")), "limit {{job}} {{instance}} {{runtime}}"),
        Panel::lines("Queue", "Tasks waiting for a thread. Good: 0. If it keeps growing, tasks arrive faster than the pool can run them.")
            .query(format!("topk(10, {})", gauge("blocking_queue_depth")), RUNTIME),
    ]);
}

fn running(panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Which routes occupy it?"),
        Panel::stack("Running tasks by route", "Running tasks of spawn_blocking. Good: few. Look at the route with the largest share first; /findings has its stacks.")
            .query("topk(10, sum by (route) (<blocking_tasks>{@, route=~\"$route\", state=\"running\"}))", "{{route}}").size(8, 8),
        Panel::lines("Run time p99 by route", "Time a task occupies its thread; the ten longest. Good: well under a second. Tasks that run for minutes belong on dedicated threads.")
            .query(format!("topk(10, {})", by_route(0.99, ", route", "blocking_run_seconds")), "{{route}}")
            .unit(Unit::Seconds).size(8, 8),
        Panel::lines("Calls of block_in_place", "Calls in progress, by route. Each occupies a thread of the pool. Good: few. Calls of tokio's own block_in_place are not seen.")
            .query("topk(10, sum by (route) (<blocking_in_place>{@, route=~\"$route\"}))", "{{route}}").size(8, 8),
    ]);
}

fn queued(panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Which routes wait for it?"),
        Panel::stack("Queued tasks by route", "Queued tasks of spawn_blocking. Good: 0. They wait for the running tasks above.")
            .query("topk(10, sum by (route) (<blocking_tasks>{@, route=~\"$route\", state=\"queued\"}))", "{{route}}").size(8, 8),
        Panel::lines("Wait for a thread p99 by route", "Time from spawn_blocking to the start of the task; the ten worst. Good: under 1 ms. A full pool delays all routes, including those with short tasks.")
            .query(format!("topk(10, {})", by_route(0.99, ", route", "blocking_queue_wait_seconds")), "{{route}}")
            .unit(Unit::Seconds).thresholds(at::POOL_QUEUE_WAIT).size(8, 8),
        Panel::heatmap("Wait for a thread", "Distribution of the time tasks waited for a thread. Good: all below 1 ms. A second band higher up comes from a full pool.")
            .query("sum by (le) (increase(<blocking_queue_wait_seconds_bucket>{@, route=~\"$route\"}[$__rate_interval]))", "{{le}}")
            .unit(Unit::Seconds).size(8, 8),
        Panel::lines("Probe wait p99", "Time empty probe tasks waited for a thread. Also works without this crate's spawn_blocking. Probes are sent only while a pool appears full or its state is unknown. Good: no line (empty when healthy).")
            .query("topk(10, histogram_quantile(0.99, sum by (le, job, instance, runtime) (rate(<blocking_probe_wait_seconds_bucket>{@}[$__rate_interval]))))", RUNTIME)
            .unit(Unit::Seconds).thresholds(at::POOL_PROBE_WAIT),
        Panel::lines("Probe age by pool", "Time the probe in flight has waited for a thread: a lower bound of the wait of every task queued after it. Good: 0. A ramp means the pool makes no progress.")
            .query(format!("topk(10, {})", gauge("blocking_probe_age_seconds")), RUNTIME)
            .unit(Unit::Seconds).thresholds(at::POOL_STUCK),
    ]);
}
