use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use prometheus::TextEncoder;
use prometheus::proto::MetricFamily;

use super::collect_runtime::{pool, scheduler};
use super::families::Families;
use super::names;
use crate::capture::CaptureOutcome;
use crate::findings::stalls;
use crate::model::{Cause, ClosedSet, Outcome, RouteId, Series};
use crate::options::{Detail, Family};
use crate::recorder::SeriesTotals;
use crate::route::OVERFLOW;
use crate::state::State;

/// Scrapes all metrics and returns them in Prometheus' text format. See [`scrape`] for the side
/// effects.
pub(crate) fn render(state: &State) -> String {
    let mut page = String::with_capacity(16 * 1024);
    // Encoding fails only if writing does, which a string cannot, or for a family without
    // samples, which `Families::finish` omits.
    let _ = TextEncoder::new().encode_utf8(&scrape(state), &mut page);
    page
}

/// Returns all metrics, with two side effects that keep the figures of an idle service current:
/// it has the pool monitor sample the pools once more, and it sends each runtime a
/// scheduler-lag probe, whose result the next scrape shows.
pub(super) fn scrape(state: &State) -> Vec<MetricFamily> {
    /// Short, because the caller may be a worker of the service that gathers a registry.
    const POOL_TIMEOUT: Duration = Duration::from_millis(5);
    state.refresh_pools(POOL_TIMEOUT);
    let families = collect(state);
    state.probe_runtimes();
    families
}

/// Reads all metrics, without side effects.
fn collect(state: &State) -> Vec<MetricFamily> {
    let series = state.instance.recorder.snapshot();
    let mut routes = BTreeMap::new();
    for (series, totals) in &series {
        let route = routes.entry(series.route()).or_insert(SeriesTotals::ZERO);
        route.add(totals);
    }
    // Names are read last. By then each recorded route has one.
    let names = state.instance.routes.list();
    let page = Page {
        state,
        names,
        series,
        routes,
    };
    let mut out = Families::new(&state.options.namespace, state.clock());
    page.requests(&mut out);
    page.polls(&mut out);
    page.runtimes(&mut out);
    page.blocking_pool(&mut out);
    page.own_health(&mut out);
    out.finish()
}

struct Page<'s> {
    state: &'s State,
    names: Vec<Arc<str>>,
    series: BTreeMap<Series, SeriesTotals>,
    /// The same totals, summed over methods.
    routes: BTreeMap<RouteId, SeriesTotals>,
}

impl Page<'_> {
    fn detail(&self, family: Family) -> Detail {
        self.state.options.detail[family.index()]
    }

    fn route(&self, id: RouteId) -> &str {
        self.names.get(id.0 as usize).map_or("", |name| name)
    }

    /// Calls `each` with every set of totals and its labels: `route`, and `method` unless the
    /// detail is lean.
    fn labelled(&self, detail: Detail, mut each: impl FnMut(&[(&str, &str)], &SeriesTotals)) {
        if detail == Detail::Lean {
            for (route, totals) in &self.routes {
                each(&[("route", self.route(*route))], totals);
            }
        } else {
            for (series, totals) in &self.series {
                let method = series.method().as_str();
                each(
                    &[("route", self.route(series.route())), ("method", method)],
                    totals,
                );
            }
        }
    }

    fn requests(&self, out: &mut Families<'_>) {
        let detail = self.detail(Family::Requests);
        if detail == Detail::Off {
            return;
        }
        self.labelled(detail, |labels, totals| {
            for outcome in Outcome::ALL {
                let labels = [labels, &[("outcome", outcome.as_str())]].concat();
                out.value(
                    &names::REQUESTS_TOTAL,
                    &labels,
                    totals.ended[outcome.index()] as f64,
                );
            }
            if detail == Detail::Full {
                out.histogram(&names::REQUEST_DURATION, labels, &totals.request);
            }
        });
        for (route, totals) in &self.routes {
            let labels = [("route", self.route(*route))];
            out.value(
                &names::REQUESTS_IN_FLIGHT,
                &labels,
                totals.in_flight() as f64,
            );
        }
    }

    fn polls(&self, out: &mut Families<'_>) {
        let detail = self.detail(Family::Polls);
        if detail == Detail::Off {
            return;
        }
        let clock = &self.state.instance.clock;
        self.labelled(detail, |labels, totals| {
            out.histogram(&names::POLL_DURATION, labels, &totals.poll);
            for &cause in Cause::ALL {
                let blocking = totals.blocking[cause.index()];
                // Zeros for all causes of each route would say nothing. The one for `unknown`
                // says that the route is measured.
                if blocking.polls == 0 && cause != Cause::Unknown {
                    continue;
                }
                let labels = [labels, &[("cause", cause.as_str())]].concat();
                out.value(&names::BLOCKING_POLLS_TOTAL, &labels, blocking.polls as f64);
                let seconds = clock.seconds(blocking.ticks);
                out.value(&names::BLOCKING_SECONDS_TOTAL, &labels, seconds);
            }
        });
        let stalls = stalls(&self.state.instance);
        for (route, totals) in &self.routes {
            let labels = [("route", self.route(*route))];
            if detail == Detail::Full && totals.delay.count() > 0 {
                out.histogram(&names::SCHEDULE_DELAY, &labels, &totals.delay);
            }
            let stalled = stalls
                .iter()
                .filter(|stall| stall.series.route() == *route)
                .count();
            out.value(&names::STALLED_POLLS, &labels, stalled as f64);
        }
        let longest = stalls.first().map_or(0, |stall| stall.elapsed);
        out.value(&names::LONGEST_STALL, &[], clock.seconds(longest));
    }

    fn runtimes(&self, out: &mut Families<'_>) {
        let (runtime, pool_detail) = (
            self.detail(Family::Runtime),
            self.detail(Family::BlockingPool),
        );
        for figures in self.state.runtimes.figures() {
            let labels = [("runtime", &*figures.name)];
            if runtime != Detail::Off {
                out.histogram(&names::SCHEDULER_LAG, &labels, &figures.lag);
                scheduler(out, &figures);
            }
            if pool_detail != Detail::Off {
                pool(out, &figures, &self.state.instance.clock, pool_detail);
            }
        }
    }

    fn blocking_pool(&self, out: &mut Families<'_>) {
        let detail = self.detail(Family::BlockingPool);
        if detail == Detail::Off {
            return;
        }
        for (route, tasks) in self.state.instance.tasks.totals() {
            let route = ("route", self.route(route));
            for (state, count) in [("queued", tasks.queued), ("running", tasks.running)] {
                out.value(
                    &names::BLOCKING_TASKS,
                    &[route, ("state", state)],
                    count as f64,
                );
            }
            out.value(&names::BLOCKING_IN_PLACE, &[route], tasks.in_place as f64);
            if detail == Detail::Full {
                out.histogram(&names::BLOCKING_QUEUE_WAIT, &[route], &tasks.wait);
                out.histogram(&names::BLOCKING_RUN, &[route], &tasks.run);
            }
        }
    }

    fn own_health(&self, out: &mut Families<'_>) {
        let unstable = if cfg!(tokio_unstable) {
            "true"
        } else {
            "false"
        };
        let build = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("tokio_unstable", unstable),
            ("capture", self.state.metrics.capture_mode().as_str()),
        ];
        out.value(&names::BUILD_INFO, &build, 1.0);
        let overflowed: u64 = self
            .series
            .iter()
            .filter(|(series, _)| series.route() == OVERFLOW)
            .map(|(_, totals)| totals.started)
            .sum();
        out.value(&names::ROUTES_OVERFLOWED_TOTAL, &[], overflowed as f64);
        out.value(
            &names::FINDINGS_DROPPED_TOTAL,
            &[],
            self.state.findings.dropped() as f64,
        );
        for &outcome in CaptureOutcome::ALL {
            let count = self.state.metrics.captures(outcome);
            let labels = [("result", outcome.as_str())];
            out.value(&names::CAPTURES_TOTAL, &labels, count as f64);
        }
        let interrupted = self.state.metrics.interrupted_calls();
        out.value(&names::INTERRUPTED_CALLS_TOTAL, &[], interrupted as f64);
        out.histogram(
            &names::WATCHDOG_LATENESS,
            &[],
            &self.state.metrics.lateness.totals(),
        );
        let refused = self.state.metrics.refused_connections();
        out.value(&names::EXPORTER_REFUSED_TOTAL, &[], refused as f64);
        // This metric counts itself.
        let series = out.series() + 1;
        out.value(&names::SERIES, &[], series as f64);
    }
}
