//! The blocking pool: is it full, who holds it, who waits?

use serde_json::Value;

use super::POOL;
use super::frame::{Routes, dashboard as frame};
use super::panel::{Panel, Unit};
use crate::config::Config;
use crate::thresholds as at;

pub fn dashboard(config: &Config) -> Value {
    let mut panels = Vec::new();
    full(&mut panels);
    holds(&mut panels);
    waits(&mut panels);
    frame(
        config,
        POOL,
        "Runtime health / Blocking pool",
        "Is a blocking pool full, who holds its threads, and who waits for them. How exact each figure is says the crate's README.",
        Some(&Routes("blocking_run_seconds_count")),
        &panels,
    )
}

/// A gauge of each runtime.
fn gauge(name: &str) -> String {
    format!("max by (job, instance, runtime) (<{name}>{{@}})")
}

/// Threads at work: where idle ones are unknown, all.
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

fn full(panels: &mut Vec<Panel>) {
    let saturated = "sum by (job, instance, runtime) (rate(<blocking_saturated_seconds_total>{@}[$__rate_interval]))";
    panels.extend([
        Panel::row("Is it full?"),
        Panel::stat("In use", "Share of the threads the fullest pool may have. Good: under 50 %. From 80 % on, find who holds them below.")
            .query(format!("max({})", share_in_use()), "Fullest pool")
            .unit(Unit::Share).thresholds(at::POOL_BUSY),
        Panel::stat("Saturated", "Share of time in which the worst pool was full with work waiting. Good: 0.")
            .query(format!("max({saturated})"), "Worst pool")
            .unit(Unit::Share).thresholds(at::POOL_SATURATED),
        Panel::stat("Queued", "Tasks that wait for a thread, all selected instances. Good: 0. Without tokio_unstable a lower bound: tasks of this crate's spawn_blocking.")
            .query("sum(<blocking_queue_depth>{@})", "Queued")
            .thresholds(at::Threshold { name: "", warning: 1.0, critical: None, bound_of: None }),
        Panel::stat("Wait p99", "From spawn_blocking to the start of the task, for the selected routes. Good: under 1 ms.")
            .query(by_route(0.99, "", "blocking_queue_wait_seconds"), "p99")
            .unit(Unit::Seconds).thresholds(at::POOL_QUEUE_WAIT),
        Panel::stat("Probe waits", "How long a probe has waited for a thread, and still does; worst pool. Good: 0. Growing: nothing of the pool moves, see /findings.")
            .query("max(<blocking_probe_age_seconds>{@})", "Worst pool")
            .unit(Unit::Seconds).thresholds(at::POOL_STUCK),
        Panel::stat("Run time p99", "From the start to the end of a task, for the selected routes. Good: well under a second.")
            .query(by_route(0.99, "", "blocking_run_seconds"), "p99")
            .unit(Unit::Seconds),
        Panel::lines("Share in use", "Threads at work of those a pool may have. Good: under 50 %. At 100 % everything waits that uses the pool: spawn_blocking, tokio::fs, look-ups of names.")
            .query(format!("topk(10, {})", share_in_use()), RUNTIME)
            .unit(Unit::Share).thresholds(at::POOL_BUSY).up_to_one(),
        Panel::lines("Share of time saturated", "Full, with work waiting. Good: 0. It moves while it goes on, not only afterwards.")
            .query(format!("topk(10, {saturated})"), RUNTIME)
            .unit(Unit::Share).thresholds(at::POOL_SATURATED).up_to_one(),
        Panel::lines("Threads", "Threads of the pool, those of them without work, and the limit. Good: far below the limit. tokio ends a thread after 10 s without work. Absent where unknown.")
            .query(format!("topk(10, {})", gauge("blocking_threads")), "threads {{job}} {{instance}} {{runtime}}")
            .query(format!("topk(10, {})", gauge("blocking_threads_idle")), "idle {{job}} {{instance}} {{runtime}}")
            .query(format!("topk(10, {})", gauge("blocking_threads_max")), "limit {{job}} {{instance}} {{runtime}}"),
        Panel::lines("Queue", "Tasks that wait for a thread. Good: 0. Growing without end: more is put there than the pool can do.")
            .query(format!("topk(10, {})", gauge("blocking_queue_depth")), RUNTIME),
    ]);
}

fn holds(panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Who holds it?"),
        Panel::stack("Running tasks by route", "Tasks of spawn_blocking that hold a thread now. Good: short and few. The route with the largest share is the one to look at; /findings has its stacks.")
            .query("topk(10, sum by (route) (<blocking_tasks>{@, route=~\"$route\", state=\"running\"}))", "{{route}}").size(8, 8),
        Panel::lines("Run time p99 by route", "How long one task holds its thread; the ten longest. Good: well under a second. Tasks that run for minutes belong on threads of their own.")
            .query(format!("topk(10, {})", by_route(0.99, ", route", "blocking_run_seconds")), "{{route}}")
            .unit(Unit::Seconds).size(8, 8),
        Panel::lines("Calls of block_in_place", "In progress now, by route; each takes a thread of the pool. Good: few. tokio's own calls are not seen.")
            .query("topk(10, sum by (route) (<blocking_in_place>{@, route=~\"$route\"}))", "{{route}}").size(8, 8),
    ]);
}

fn waits(panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Who waits for it?"),
        Panel::stack("Queued tasks by route", "Tasks of spawn_blocking that wait for a thread now. Good: 0. They wait for those that run above.")
            .query("topk(10, sum by (route) (<blocking_tasks>{@, route=~\"$route\", state=\"queued\"}))", "{{route}}").size(8, 8),
        Panel::lines("Wait for a thread p99 by route", "From spawn_blocking to the start of the task; the ten worst. Good: under 1 ms. All routes suffer alike, also those that hold no thread for long.")
            .query(format!("topk(10, {})", by_route(0.99, ", route", "blocking_queue_wait_seconds")), "{{route}}")
            .unit(Unit::Seconds).thresholds(at::POOL_QUEUE_WAIT).size(8, 8),
        Panel::heatmap("Wait for a thread", "How many tasks waited how long. Good: all below 1 ms. A second band is what waited while the pool was full.")
            .query("sum by (le) (increase(<blocking_queue_wait_seconds_bucket>{@, route=~\"$route\"}[$__rate_interval]))", "{{le}}")
            .unit(Unit::Seconds).size(8, 8),
        Panel::lines("Probe: wait p99", "How long empty probe tasks waited: also where this crate's spawn_blocking is not used. Sent only while a pool looks full or nothing is known of it. Good: no line (empty when healthy).")
            .query("topk(10, histogram_quantile(0.99, sum by (le, job, instance, runtime) (rate(<blocking_probe_wait_seconds_bucket>{@}[$__rate_interval]))))", RUNTIME)
            .unit(Unit::Seconds).thresholds(at::POOL_PROBE_WAIT),
        Panel::lines("Probe: still waiting", "How long the probe that is out has waited: what was put on the pool after it waits as long at least. Good: 0. A ramp is a pool in which nothing moves.")
            .query(format!("topk(10, {})", gauge("blocking_probe_age_seconds")), RUNTIME)
            .unit(Unit::Seconds).thresholds(at::POOL_STUCK),
    ]);
}
