use std::sync::Arc;
use std::task::Context;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body::Body;

use super::delay::WakeDelay;
use crate::instance::Instance;
use crate::local::{Local, Writer};
use crate::recorder::{MethodId, Outcome, Series};
use crate::route::{CONNECT, Found, HEAD, OVERFLOW, UNMATCHED, grpc_serves, method_id};

/// One request, from `call` to its end. Counted exactly once: when this is
/// dropped, wherever that is.
///
/// Small, since it is moved with the response: into axum's boxed future, into
/// the body, into axum's boxed body.
#[derive(Debug)]
pub(super) struct RequestGuard {
    pub(super) progress: Progress,
    /// In ticks.
    started: u64,
    /// False inside another layer of the same instance, which counts it.
    counted: bool,
    pub(super) extra: Option<Box<Extra>>,
}

/// What few requests have.
#[derive(Debug)]
pub(super) struct Extra {
    /// The gRPC path this request would be labelled with, if its method turns
    /// out to exist. For the first requests of each method only.
    unconfirmed: Option<Box<str>>,
    delay: Option<WakeDelay>,
}

/// What each poll of a request reads and writes.
#[derive(Debug)]
pub(super) struct Progress {
    /// Of the thread this was last polled on.
    pub(super) writer: Arc<Writer>,
    /// When the last timed poll ended, in ticks.
    pub(super) last_poll_ended: u64,
    /// The outcome, should the request be dropped now.
    pub(super) outcome: Outcome,
}

impl RequestGuard {
    #[inline(always)]
    pub(super) fn begin(instance: &Arc<Instance>, method: &Method, found: Found<'_>) -> Self {
        let method = method_id(method);
        let Some(local) = Local::of(instance) else {
            return Self::begin_apart(instance, method, found);
        };
        let recent = match &found {
            Found::Template(name) => local.recent_writer(name, method),
            Found::Matched { template, .. } => local.recent_writer(template, method),
            _ => None,
        };
        let (writer, unconfirmed) = match recent {
            Some(writer) => (writer, None),
            None => find_writer(instance, &local, method, found),
        };
        let counted = !local.slot.is_entered();
        let started = writer.terms.clock.ticks();
        let delayed = counted && local.measures_delay(instance, started);
        let extra = if delayed || unconfirmed.is_some() {
            Some(Extra::new(instance, delayed, unconfirmed))
        } else {
            None
        };
        if counted {
            writer.cells.request_started();
        }
        Self {
            progress: Progress {
                writer,
                last_poll_ended: started,
                outcome: Outcome::Cancelled,
            },
            started,
            counted,
            extra,
        }
    }

    /// On a thread whose local data is torn down: it is timed on others only.
    #[cold]
    fn begin_apart(instance: &Arc<Instance>, method: MethodId, found: Found<'_>) -> Self {
        let route = match found.settled() {
            Found::Template(name) => instance.routes.intern(&name),
            _ => UNMATCHED,
        };
        let writer = Arc::new(Writer::of_nobody(instance, Series::new(route, method)));
        writer.request_started_apart();
        let started = instance.clock.ticks();
        Self {
            progress: Progress {
                writer,
                last_poll_ended: started,
                outcome: Outcome::Cancelled,
            },
            started,
            counted: true,
            extra: None,
        }
    }

    /// Its first poll is timed from the request's beginning on: one reading of
    /// the clock less.
    #[inline(always)]
    pub(super) fn started(&self) -> u64 {
        self.started
    }

    /// The response is there, but for its content. Gives how many bytes are to
    /// come, where that is known.
    #[inline]
    pub(super) fn response<B: Body>(&mut self, response: &Response<B>) -> Option<u64> {
        if let Some(extra) = &mut self.extra {
            extra.response(&self.progress, response.status(), response.headers());
        }
        // The body first: most know their length, and a header has to be looked up.
        let length = response.body().size_hint().exact().or_else(|| {
            let value = response.headers().get(CONTENT_LENGTH)?;
            value.to_str().ok()?.parse().ok()
        });
        if length == Some(0) || self.has_no_content(response.status()) {
            self.completes_if_dropped();
        }
        length
    }

    /// Whether no content follows the head (RFC 9110, 6.4.1): servers drop the
    /// body unpolled.
    #[inline]
    fn has_no_content(&self, status: StatusCode) -> bool {
        let method = self.progress.writer.series.method();
        method == HEAD
            || (method == CONNECT && status.is_success())
            || (status != StatusCode::OK
                && (status.is_informational()
                    || status == StatusCode::NO_CONTENT
                    || status == StatusCode::NOT_MODIFIED))
    }

    /// All there is to send was handed over, though the end was not asked for.
    pub(super) fn completes_if_dropped(&mut self) {
        self.progress.outcome = Outcome::Completed;
    }

    /// The request has ended, with the poll that was timed last.
    #[inline]
    pub(super) fn end(&mut self, outcome: Outcome) {
        self.progress.outcome = outcome;
        self.count_end(self.progress.last_poll_ended);
    }

    #[inline]
    fn count_end(&mut self, now: u64) {
        if std::mem::take(&mut self.counted) {
            let ticks = now.saturating_sub(self.started);
            let outcome = self.progress.outcome;
            self.progress.writer.request_ended(outcome, ticks);
        }
    }
}

impl Extra {
    #[cold]
    fn new(instance: &Instance, delayed: bool, unconfirmed: Option<Box<str>>) -> Box<Self> {
        Box::new(Self {
            unconfirmed,
            delay: delayed.then(|| WakeDelay::new(instance.clock.clone())),
        })
    }

    /// Polls with the waker that measures the delay, if there is one.
    #[cold]
    #[inline(never)]
    pub(super) fn poll<T>(
        &self,
        timed_by: Option<&Writer>,
        cx: &mut Context<'_>,
        inner: impl FnOnce(&mut Context<'_>) -> T,
    ) -> T {
        let (Some(delay), Some(writer)) = (&self.delay, timed_by) else {
            return inner(cx);
        };
        if let Some(ticks) = delay.poll_begins(cx.waker(), writer.slot.started()) {
            writer.cells.schedule_delay(&writer.terms.bounds, ticks);
        }
        inner(&mut Context::from_waker(delay.waker()))
    }

    #[cold]
    fn response(&mut self, progress: &Progress, status: StatusCode, headers: &HeaderMap) {
        if let Some(path) = self.unconfirmed.take()
            && grpc_serves(status, headers)
            && let Some(instance) = progress.writer.instance()
        {
            // Later requests find it; this one ends where it was begun.
            instance.routes.intern(&path);
        }
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        if self.counted {
            let now = self.progress.writer.terms.clock.ticks();
            self.count_end(now);
        }
    }
}

/// What to count a request under and, if only the answer can tell, the name
/// that would be better.
#[inline(never)]
fn find_writer(
    instance: &Arc<Instance>,
    local: &Local,
    method: MethodId,
    found: Found<'_>,
) -> (Arc<Writer>, Option<Box<str>>) {
    let (route, unconfirmed) = match found.settled() {
        Found::Template(name) => {
            return (local.writer_named(instance, &name, method), None);
        }
        Found::GrpcPath { path, otherwise } => {
            let is_full = local.knows_all_routes(instance);
            match (local.known_route(instance, path), otherwise) {
                (Some(route), _) => (route, None),
                (None, Some(template)) => (
                    local.route_named(instance, template),
                    (!is_full).then(|| path.into()),
                ),
                (None, None) if is_full => (OVERFLOW, None),
                (None, None) => (UNMATCHED, Some(path.into())),
            }
        }
        Found::Matched { .. } | Found::Unmatched => (UNMATCHED, None),
    };
    let series = Series::new(route, method);
    (local.writer(instance, series), unconfirmed)
}
