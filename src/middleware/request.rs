use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;

use http::{HeaderMap, Method, StatusCode};

use super::delay::WakeDelay;
use super::guard::PollGuard;
use crate::clock::Clock;
use crate::instance::Instance;
use crate::local::Local;
use crate::recorder::{Outcome, RouteId, Series, SeriesCells};
use crate::route::{Found, OVERFLOW, UNMATCHED, grpc_serves, method_id};
use crate::slot::{Mark, Phase};

/// One request, from `call` to its end. Counted exactly once: when this is
/// dropped, wherever that is.
#[derive(Debug)]
pub(super) struct RequestGuard {
    progress: Progress,
    /// In ticks.
    started: u64,
    /// False inside another layer of the same instance, which counts it.
    counted: bool,
    is_head: bool,
    is_connect: bool,
    /// The gRPC path this request would be labelled with, if its method turns
    /// out to exist. Allocated for the first requests of each method only.
    unconfirmed: Option<Box<str>>,
    delay: Option<WakeDelay>,
}

/// What each poll of a request reads and writes.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) instance: Arc<Instance>,
    pub(super) series: Series,
    /// When the last timed poll ended, in ticks.
    pub(super) last_poll_ended: u64,
    /// The outcome, should the request be dropped now.
    pub(super) outcome: Outcome,
}

impl RequestGuard {
    pub(super) fn begin(instance: &Arc<Instance>, method: &Method, found: Found<'_>) -> Self {
        let local = Local::of(instance);
        let counted = local.as_ref().is_none_or(|local| !local.slot.is_entered());
        let (route, unconfirmed) = resolve(instance, local.as_deref(), found);
        let series = Series {
            route,
            method: method_id(method),
        };
        let started = instance.clock.ticks();
        let delay = local
            .as_ref()
            .filter(|local| counted && local.measures_delay(instance, started))
            .map(|_| WakeDelay::new(instance.clock.clone()));
        let request = Self {
            progress: Progress {
                instance: Arc::clone(instance),
                series,
                last_poll_ended: started,
                outcome: Outcome::Cancelled,
            },
            started,
            counted,
            is_head: method == Method::HEAD,
            is_connect: method == Method::CONNECT,
            unconfirmed,
            delay,
        };
        if counted {
            request.record(local, SeriesCells::request_started);
        }
        request
    }

    /// Times the call of the inner service, which begins with the request.
    #[inline]
    pub(super) fn call<T>(&mut self, inner: impl FnOnce() -> T) -> T {
        let started = self.started;
        self.timed(Phase::Call, |_| started, inner)
    }

    /// Gives on what `inner` gives without ever holding it: it may be large,
    /// and this runs for each poll.
    ///
    /// Never inlined, and its guard is dropped after `inner`: its frame is on
    /// the stack as long as `inner` runs, and is where a walk up that stack
    /// ends.
    #[inline(never)]
    fn timed<T>(
        &mut self,
        phase: Phase,
        start: impl FnOnce(&Clock) -> u64,
        inner: impl FnOnce() -> T,
    ) -> T {
        match Local::of(&self.progress.instance) {
            Some(local) if !local.slot.is_entered() => {
                let start = start(&self.progress.instance.clock);
                let _poll = PollGuard::enter(local, &mut self.progress, phase, start, Mark::here());
                inner()
            }
            // A layer further out times this thread already, or the thread is
            // being torn down.
            _ => inner(),
        }
    }

    /// Times one poll.
    #[inline]
    pub(super) fn poll<T>(
        &mut self,
        phase: Phase,
        cx: &mut Context<'_>,
        inner: impl FnOnce(&mut Context<'_>) -> T,
    ) -> T {
        if self.delay.is_none() {
            return self.timed(phase, Clock::ticks, || inner(cx));
        }
        self.poll_with_delay(phase, cx, inner)
    }

    /// As `timed`, and for the same reason never inlined.
    #[cold]
    #[inline(never)]
    fn poll_with_delay<T>(
        &mut self,
        phase: Phase,
        cx: &mut Context<'_>,
        inner: impl FnOnce(&mut Context<'_>) -> T,
    ) -> T {
        match (Local::of(&self.progress.instance), &self.delay) {
            (Some(local), Some(delay)) if !local.slot.is_entered() => {
                let start = self.progress.instance.clock.ticks();
                let poll = PollGuard::enter(local, &mut self.progress, phase, start, Mark::here());
                if let Some(ticks) = delay.poll_begins(cx.waker(), start) {
                    poll.delayed(ticks);
                }
                inner(&mut Context::from_waker(delay.waker()))
            }
            _ => inner(cx),
        }
    }

    /// The response's head is there.
    pub(super) fn response(&mut self, status: StatusCode, headers: &HeaderMap) {
        if let Some(path) = self.unconfirmed.take()
            && grpc_serves(status, headers)
        {
            // Later requests find it; this one ends where it was begun.
            self.progress.instance.routes.intern(&path);
        }
        // No content follows (RFC 9110, 6.4.1): servers drop the body unpolled.
        let bodyless = self.is_head
            || (self.is_connect && status.is_success())
            || status.is_informational()
            || status == StatusCode::NO_CONTENT
            || status == StatusCode::NOT_MODIFIED;
        if bodyless {
            self.completes_if_dropped();
        }
    }

    /// All there is to send was handed over, though the end was not asked for.
    pub(super) fn completes_if_dropped(&mut self) {
        self.progress.outcome = Outcome::Completed;
    }

    /// The request has ended, with the poll that was timed last.
    #[inline]
    pub(super) fn end(mut self, outcome: Outcome) {
        self.progress.outcome = outcome;
        self.count_end(self.progress.last_poll_ended);
    }

    #[inline]
    fn count_end(&mut self, now: u64) {
        if std::mem::take(&mut self.counted) {
            let ticks = now.saturating_sub(self.started);
            let (bounds, outcome) = (
                self.progress.instance.recorder.bounds(),
                self.progress.outcome,
            );
            let local = Local::of(&self.progress.instance);
            self.record(local, |cells| cells.request_ended(bounds, outcome, ticks));
        }
    }

    #[inline]
    fn record(&self, local: Option<Rc<Local>>, record: impl FnOnce(&SeriesCells)) {
        match local {
            Some(local) => {
                if let Some(cells) = local.shard.cells(self.progress.series) {
                    record(cells);
                }
            }
            None => self
                .progress
                .instance
                .recorder
                .record_without_thread(self.progress.series, record),
        }
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        if self.counted {
            let now = self.progress.instance.clock.ticks();
            self.count_end(now);
        }
    }
}

/// The route to count under and, if only the answer can tell, the name that
/// would be better.
fn resolve(
    instance: &Instance,
    local: Option<&Local>,
    found: Found<'_>,
) -> (RouteId, Option<Box<str>>) {
    let routes = &instance.routes;
    // The cache is borrowed here only, and nothing below calls user code.
    let Some(mut cache) = local.and_then(|local| local.routes.try_borrow_mut().ok()) else {
        return match found {
            Found::Template(name) => (routes.intern(&name), None),
            Found::GrpcPath { .. } | Found::Unmatched => (UNMATCHED, None),
        };
    };
    match found {
        Found::Template(name) => (cache.find_or_intern(routes, &name), None),
        Found::Unmatched => (UNMATCHED, None),
        Found::GrpcPath { path, otherwise } => match (cache.find(routes, path), otherwise) {
            (Some(route), _) => (route, None),
            (None, Some(template)) => (
                cache.find_or_intern(routes, template),
                (!cache.is_full(routes)).then(|| path.into()),
            ),
            (None, None) if cache.is_full(routes) => (OVERFLOW, None),
            (None, None) => (UNMATCHED, Some(path.into())),
        },
    }
}
