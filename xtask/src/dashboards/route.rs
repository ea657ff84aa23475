//! One route, or a few: does it block, or does it suffer?

use serde_json::Value;

use super::fields::Column;
use super::frame::{Routes, dashboard as frame, row_link};
use super::panel::{Panel, Unit};
use super::{INSTANCE, ROUTE};
use crate::config::Config;
use crate::signals::NOT_THE_HANDLER;
use crate::thresholds as at;

pub fn dashboard(config: &Config) -> Value {
    let mut panels = Vec::new();
    asked(&mut panels);
    blocks(&mut panels);
    suffers(&mut panels);
    pool(&mut panels);
    frame(
        config,
        ROUTE,
        "Runtime health / Routes",
        "What a route does to its executor, and what the executor does to it.",
        Some(&Routes("poll_duration_seconds_count")),
        &panels,
    )
}

/// A rate of what is selected.
fn rate(series: &str) -> String {
    rate_where(series, "")
}

fn rate_where(series: &str, matchers: &str) -> String {
    format!("rate(<{series}>{{@, route=~\"$route\"{matchers}}}[$__rate_interval])")
}

fn quantile(share: f64, by: &str, histogram: &str) -> String {
    let rate = rate(&format!("{histogram}_bucket"));
    format!("histogram_quantile({share}, sum by (le{by}) ({rate}))")
}

fn asked(panels: &mut Vec<Panel>) {
    let gone = format!(", {NOT_THE_HANDLER}");
    panels.extend([
        Panel::row("What is asked of it, and is it well?"),
        Panel::stat("Requests", "Requests ended a second on the selected routes. Good: as usual.")
            .query(format!("sum({})", rate("requests_total")), "Requests")
            .unit(Unit::RequestsPerSecond),
        Panel::stat("Not completed", "Share of requests that ended with an error or were cancelled. Good: as low as usual. A status of 500 is an answer, and not counted here.")
            .query(format!("1 - sum({}) / (sum({}) > 0)", rate_where("requests_total", ", outcome=\"completed\""), rate("requests_total")), "Not completed")
            .unit(Unit::Share),
        Panel::stat("Duration p99", "From the call of the service to the end of the body. Good: what your users expect.")
            .query(quantile(0.99, "", "request_duration_seconds"), "p99")
            .unit(Unit::Seconds).thresholds(at::REQUEST_DURATION),
        Panel::stat("Blocks workers", "Time in which the selected routes hold workers, in seconds a second over all selected instances. Good: 0. Else look at the causes below and at /findings.")
            .query(format!("sum({})", rate_where("blocking_seconds_total", &gone)), "Blocked")
            .unit(Unit::Seconds).thresholds(at::ROUTE_BLOCKS),
        Panel::stat("Stalled now", "Polls that block a worker at this moment. Good: 0.")
            .query("sum(<stalled_polls>{@, route=~\"$route\"})", "Stalled")
            .thresholds(at::Threshold { name: "", warning: 1.0, critical: None, bound_of: None }),
        Panel::stat("Delay p99", "From a wake of a request to its poll. Good: under 5 ms. High: somebody blocks the worker that it needs.")
            .query(quantile(0.99, "", "schedule_delay_seconds"), "p99")
            .unit(Unit::Seconds).thresholds(at::SCHEDULE_DELAY),
        Panel::stack("Requests by outcome", "Requests ended a second. Good: all completed. Cancelled: the client went away, often for having waited too long.")
            .query(format!("sum by (outcome) ({})", rate("requests_total")), "{{outcome}}")
            .unit(Unit::RequestsPerSecond).size(8, 8),
        Panel::lines("Request duration", "Median and p99 by route; the ten slowest. Good: as usual. Compare with the polls below: a long request of short polls waits for something without blocking, which is fine.")
            .query(format!("topk(10, {})", quantile(0.99, ", route", "request_duration_seconds")), "p99 {{route}}")
            .query(format!("topk(10, {})", quantile(0.5, ", route", "request_duration_seconds")), "p50 {{route}}")
            .unit(Unit::Seconds).size(8, 8),
        Panel::lines("Requests in flight", "Requests begun and not ended, by route; the ten with most. Good: level. Growing without more requests: something holds them up.")
            .query("topk(10, sum by (route) (<requests_in_flight>{@, route=~\"$route\"}))", "{{route}}")
            .size(8, 8),
    ]);
}

fn blocks(panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Does it block?"),
        Panel::heatmap("Poll duration", "How many polls took how long. Good: all below 1 ms. A band above 10 ms blocks workers.")
            .query("sum by (le) (increase(<poll_duration_seconds_bucket>{@, route=~\"$route\"}[$__rate_interval]))", "{{le}}")
            .unit(Unit::Seconds).size(8, 8),
        Panel::lines("Poll duration p99", "By route; the ten slowest. Good: under 1 ms. Above 10 ms a poll counts as blocking.")
            .query(format!("topk(10, {})", quantile(0.99, ", route", "poll_duration_seconds")), "{{route}}")
            .unit(Unit::Seconds).thresholds(at::SLOW_POLL).size(8, 8),
        Panel::stack("Blocked time by cause", "In seconds a second. Good: near 0. The cause names the remedy; preempted is the machine's fault, block_in_place nobody's.")
            .query(format!("sum by (cause) ({})", rate("blocking_seconds_total")), "{{cause}}")
            .unit(Unit::Seconds).size(8, 8),
        Panel::table("Which routes block, and why", "Blocking polls a second and the time in them, by route and cause, on all selected instances. Good: zeroes. Each row that is not is a finding in /findings, with its line.")
            .query("topk(50, sum by (job, route, method, cause) (rate(<blocking_seconds_total>{@, route=~\"$route\"}[$__rate_interval])))", "")
            .query("sum by (job, route, method, cause) (rate(<blocking_polls_total>{@, route=~\"$route\"}[$__rate_interval]))", "")
            .columns(vec![
                Column::label("job", "Job"),
                Column::label("route", "Route"),
                Column::label("method", "Method").width(90),
                Column::label("cause", "Cause").width(120),
                Column::value("Value #A", "Seconds a second", Unit::Seconds).thresholds(at::ROUTE_BLOCKS).width(150),
                Column::value("Value #B", "Polls", Unit::PerSecond).width(100),
            ])
            .sort("Seconds a second")
            .size(12, 9),
        Panel::lines("Stalled polls", "Polls that hold a worker at the moment of a scrape, by instance and route. Good: no line (empty when healthy). A level line is a worker that does not come free.")
            .query("sum by (job, instance, route) (<stalled_polls>{@, route=~\"$route\"}) > 0", "{{job}} {{instance}} {{route}}")
            .size(12, 9),
        Panel::table("Instances", "Where the selected routes block, in seconds a second. Good: zeroes. One instance alone: its data or its machine.")
            .query("topk(50, sum by (job, instance) (rate(<blocking_seconds_total>{@, route=~\"$route\", cause!~\"block_in_place|preempted\"}[$__rate_interval])))", "")
            .query("sum by (job, instance) (<stalled_polls>{@, route=~\"$route\"})", "")
            .columns(vec![
                Column::label("job", "Job"),
                Column::label("instance", "Instance").link("Workers and instance", row_link(INSTANCE, &["job", "instance"])),
                Column::value("Value #A", "Seconds a second", Unit::Seconds).thresholds(at::ROUTE_BLOCKS).width(150),
                Column::value("Value #B", "Stalled now", Unit::Count).width(110),
            ])
            .sort("Seconds a second")
            .size(24, 6),
    ]);
}

fn suffers(panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Does it suffer?"),
        Panel::lines("Delay of woken requests p99", "From a wake to the poll that follows, by route; the ten worst. Good: under 5 ms. Routes that never block suffer from those that do. A sample (1 request in 8 by default).")
            .query(format!("topk(10, {})", quantile(0.99, ", route", "schedule_delay_seconds")), "{{route}}")
            .unit(Unit::Seconds).thresholds(at::SCHEDULE_DELAY),
        Panel::lines("Routes over the cap", "Requests a second whose route is counted as <overflow>. Good: 0. Else raise max_routes, or name routes by templates.")
            .query("sum by (job, instance) (rate(<routes_overflowed_total>{@}[$__rate_interval]))", "{{job}} {{instance}}")
            .unit(Unit::RequestsPerSecond),
    ]);
}

fn pool(panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Does it wait for the blocking pool?"),
        Panel::lines("Wait for a thread p99", "From spawn_blocking to the start of the task, by route; the ten worst. Good: under 1 ms. High: the pool is full, see its dashboard.")
            .query(format!("topk(10, {})", quantile(0.99, ", route", "blocking_queue_wait_seconds")), "{{route}}")
            .unit(Unit::Seconds).thresholds(at::POOL_QUEUE_WAIT).size(8, 8),
        Panel::lines("Run time p99", "From the start to the end of a task on the pool, by route; the ten longest. Good: well under a second; longer ones hold a thread each.")
            .query(format!("topk(10, {})", quantile(0.99, ", route", "blocking_run_seconds")), "{{route}}")
            .unit(Unit::Seconds).size(8, 8),
        Panel::lines("Tasks on the pool", "Tasks of spawn_blocking that run or wait, and calls of block_in_place, by route. Good: nothing queued.")
            .query("sum by (route, state) (<blocking_tasks>{@, route=~\"$route\"})", "{{route}} {{state}}")
            .query("sum by (route) (<blocking_in_place>{@, route=~\"$route\"})", "{{route}} block_in_place")
            .size(8, 8),
    ]);
}
