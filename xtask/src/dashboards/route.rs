//! One or a few routes: do they block, or are they blocked by others?

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
    status(&mut panels);
    blocking(&mut panels);
    delays(&mut panels);
    pool(&mut panels);
    frame(
        config,
        ROUTE,
        "Runtime health / Routes",
        "Whether a route blocks the executor, and whether other routes delay it.",
        Some(&Routes("poll_duration_seconds_count")),
        &panels,
    )
}

/// The rate of a series for the selected routes.
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

fn status(panels: &mut Vec<Panel>) {
    let handlers_only = format!(", {NOT_THE_HANDLER}");
    panels.extend([
        Panel::row("What is its load, and is it healthy?"),
        Panel::stat("Requests", "Ended requests per second on the selected routes. Good: as usual.")
            .query(format!("sum({})", rate("requests_total")), "Requests")
            .unit(Unit::RequestsPerSecond),
        Panel::stat("Not completed", "Share of requests that ended with an error or were cancelled. Good: as low as usual. A response with status 500 counts as completed.")
            .query(format!("1 - sum({}) / (sum({}) > 0)", rate_where("requests_total", ", outcome=\"completed\""), rate("requests_total")), "Not completed")
            .unit(Unit::Share),
        Panel::stat("Duration p99", "Time from the call of the service to the end of the response body. Good: what your users expect.")
            .query(quantile(0.99, "", "request_duration_seconds"), "p99")
            .unit(Unit::Seconds).thresholds(at::REQUEST_DURATION),
        Panel::stat("Blocks workers", "Time for which the selected routes block workers, in seconds per second over all selected instances. Good: 0. Otherwise see the causes below and /findings.")
            .query(format!("sum({})", rate_where("blocking_seconds_total", &handlers_only)), "Blocked")
            .unit(Unit::Seconds).thresholds(at::ROUTE_BLOCKS),
        Panel::stat("Stalled now", "Polls that are blocking a worker now. Good: 0.")
            .query("sum(<stalled_polls>{@, route=~\"$route\"})", "Stalled")
            .thresholds(at::Threshold { name: "", warning: 1.0, critical: None, bound_of: None }),
        Panel::stat("Delay p99", "Time from a request's wake to its next poll. Good: under 5 ms. High: another handler blocks the workers.")
            .query(quantile(0.99, "", "schedule_delay_seconds"), "p99")
            .unit(Unit::Seconds).thresholds(at::SCHEDULE_DELAY),
        Panel::stack("Requests by outcome", "Ended requests per second. Good: all completed. Cancelled: the client disconnected, often after waiting too long.")
            .query(format!("sum by (outcome) ({})", rate("requests_total")), "{{outcome}}")
            .unit(Unit::RequestsPerSecond).size(8, 8),
        Panel::lines("Request duration", "Median and p99 by route; the ten slowest. Good: as usual. A long request with short polls (see below) waits without blocking.")
            .query(format!("topk(10, {})", quantile(0.99, ", route", "request_duration_seconds")), "p99 {{route}}")
            .query(format!("topk(10, {})", quantile(0.5, ", route", "request_duration_seconds")), "p50 {{route}}")
            .unit(Unit::Seconds).size(8, 8),
        Panel::lines("Requests in flight", "Requests in progress, by route; the ten highest. Good: stable. If it grows while the request rate does not, requests are held up.")
            .query("topk(10, sum by (route) (<requests_in_flight>{@, route=~\"$route\"}))", "{{route}}")
            .size(8, 8),
    ]);
}

fn blocking(panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Does it block?"),
        Panel::heatmap("Poll duration", "Distribution of poll durations. Good: all below 1 ms. Polls above 10 ms block workers.")
            .query("sum by (le) (increase(<poll_duration_seconds_bucket>{@, route=~\"$route\"}[$__rate_interval]))", "{{le}}")
            .unit(Unit::Seconds).size(8, 8),
        Panel::lines("Poll duration p99", "Poll duration by route; the ten slowest. Good: under 1 ms. From 10 ms, a poll counts as blocking (default threshold).")
            .query(format!("topk(10, {})", quantile(0.99, ", route", "poll_duration_seconds")), "{{route}}")
            .unit(Unit::Seconds).thresholds(at::SLOW_POLL).size(8, 8),
        Panel::stack("Blocked time by cause", "Time in blocking polls by cause, in seconds per second. Good: near 0. preempted means the machine is short of CPU; block_in_place holds up no other task.")
            .query(format!("sum by (cause) ({})", rate("blocking_seconds_total")), "{{cause}}")
            .unit(Unit::Seconds).size(8, 8),
        Panel::table("Which routes block, and why", "Blocking polls per second and the time in them, by route and cause, over all selected instances. Good: all 0. For the other rows, /findings shows the line of code.")
            .query("topk(50, sum by (job, route, method, cause) (rate(<blocking_seconds_total>{@, route=~\"$route\"}[$__rate_interval])))", "")
            .query("sum by (job, route, method, cause) (rate(<blocking_polls_total>{@, route=~\"$route\"}[$__rate_interval]))", "")
            .columns(vec![
                Column::label("job", "Job"),
                Column::label("route", "Route"),
                Column::label("method", "Method").width(90),
                Column::label("cause", "Cause").width(120),
                Column::value("Value #A", "Seconds per second", Unit::Seconds).thresholds(at::ROUTE_BLOCKS).width(150),
                Column::value("Value #B", "Polls", Unit::PerSecond).width(100),
            ])
            .sort("Seconds per second")
            .size(12, 9),
        Panel::lines("Stalled polls", "Polls that are blocking a worker at each scrape, by instance and route. Good: no line (empty when healthy). A flat line is a worker that stays blocked.")
            .query("sum by (job, instance, route) (<stalled_polls>{@, route=~\"$route\"}) > 0", "{{job}} {{instance}} {{route}}")
            .size(12, 9),
        Panel::table("Instances", "Time for which the selected routes block workers on each instance, in seconds per second. Good: all 0. If only one instance is affected, suspect its data or its machine.")
            .query("topk(50, sum by (job, instance) (rate(<blocking_seconds_total>{@, route=~\"$route\", cause!~\"block_in_place|preempted\"}[$__rate_interval])))", "")
            .query("sum by (job, instance) (<stalled_polls>{@, route=~\"$route\"})", "")
            .columns(vec![
                Column::label("job", "Job"),
                Column::label("instance", "Instance").link("Workers and instance", row_link(INSTANCE, &["job", "instance"])),
                Column::value("Value #A", "Seconds per second", Unit::Seconds).thresholds(at::ROUTE_BLOCKS).width(150),
                Column::value("Value #B", "Stalled now", Unit::Count).width(110),
            ])
            .sort("Seconds per second")
            .size(24, 6),
    ]);
}

fn delays(panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Do other routes delay it?"),
        Panel::lines("Delay of woken requests p99", "Time from a request's wake to its next poll, by route; the ten worst. Good: under 5 ms. Blocking routes also delay routes that never block. Sampled (1 request in 8 by default).")
            .query(format!("topk(10, {})", quantile(0.99, ", route", "schedule_delay_seconds")), "{{route}}")
            .unit(Unit::Seconds).thresholds(at::SCHEDULE_DELAY),
        Panel::lines("Routes over the limit", "Requests per second that are counted as route <overflow>. Good: 0. Otherwise name routes by templates or raise max_routes.")
            .query("sum by (job, instance) (rate(<routes_overflowed_total>{@}[$__rate_interval]))", "{{job}} {{instance}}")
            .unit(Unit::RequestsPerSecond),
    ]);
}

fn pool(panels: &mut Vec<Panel>) {
    panels.extend([
        Panel::row("Does it wait for the blocking pool?"),
        Panel::lines("Wait for a thread p99", "Time from spawn_blocking to the start of the task, by route; the ten worst. Good: under 1 ms. High: the pool is full; open the Blocking pool dashboard.")
            .query(format!("topk(10, {})", quantile(0.99, ", route", "blocking_queue_wait_seconds")), "{{route}}")
            .unit(Unit::Seconds).thresholds(at::POOL_QUEUE_WAIT).size(8, 8),
        Panel::lines("Run time p99", "Run time of a task on the pool, by route; the ten longest. Good: well under a second. Each running task occupies a thread.")
            .query(format!("topk(10, {})", quantile(0.99, ", route", "blocking_run_seconds")), "{{route}}")
            .unit(Unit::Seconds).size(8, 8),
        Panel::lines("Tasks on the pool", "Running and queued tasks of spawn_blocking, and calls of block_in_place, by route. Good: none queued.")
            .query("sum by (route, state) (<blocking_tasks>{@, route=~\"$route\"})", "{{route}} {{state}}")
            .query("sum by (route) (<blocking_in_place>{@, route=~\"$route\"})", "{{route}} block_in_place")
            .size(8, 8),
    ]);
}
