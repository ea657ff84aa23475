use std::sync::Arc;
use std::task::Context;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method as HttpMethod, Response, StatusCode};
use http_body::Body;

use super::delay::WakeDelay;
use crate::instance::Instance;
use crate::model::{Method, Outcome, Series};
use crate::route::{Found, OVERFLOW, UNMATCHED, grpc_serves};
use crate::thread_state::{SeriesRecorder, ThreadState};

/// One request, from `call` to its end. It counts the request exactly once: in `end`,
/// or else when it is dropped.
///
/// It is small, because it is moved with the response: into axum's boxed future, into
/// the body and into axum's boxed body.
#[derive(Debug)]
pub(super) struct RequestGuard {
    pub(super) progress: Progress,
    /// In ticks.
    started: u64,
    /// Whether this guard has yet to count the request. False inside another layer of
    /// the same instance, which counts it.
    counted: bool,
    pub(super) extra: Option<Box<Extra>>,
}

/// State that only few requests need.
#[derive(Debug)]
pub(super) struct Extra {
    /// The gRPC path that becomes a label if the method turns out to exist. Set only
    /// for the first requests of each method.
    unconfirmed: Option<Box<str>>,
    delay: Option<WakeDelay>,
}

/// The state that each poll of a request reads and writes.
#[derive(Debug)]
pub(super) struct Progress {
    /// The recorder of the thread that polled last.
    pub(super) recorder: Arc<SeriesRecorder>,
    /// When the last timed poll ended, in ticks.
    pub(super) last_poll_ended: u64,
    /// The outcome if the request were dropped now.
    pub(super) outcome: Outcome,
}

impl RequestGuard {
    #[inline(always)]
    pub(super) fn begin(instance: &Arc<Instance>, method: &HttpMethod, found: Found<'_>) -> Self {
        let method = Method::from(method);
        let Some(thread_state) = ThreadState::of(instance) else {
            return Self::begin_without_thread(instance, method, found);
        };
        let recent = match &found {
            Found::Template(name) => thread_state.recent_recorder(name, method),
            Found::Matched { template, .. } => thread_state.recent_recorder(template, method),
            _ => None,
        };
        let (recorder, unconfirmed) = match recent {
            Some(recorder) => (recorder, None),
            None => find_recorder(instance, &thread_state, method, found),
        };
        let counted = !thread_state.slot.is_entered();
        let started = recorder.poll_config.clock.ticks();
        let delayed = counted && thread_state.measures_delay(instance, started);
        let extra = if delayed || unconfirmed.is_some() {
            Some(Extra::new(instance, delayed, unconfirmed))
        } else {
            None
        };
        if counted {
            recorder.cells.request_started();
        }
        Self {
            progress: Progress {
                recorder,
                last_poll_ended: started,
                outcome: Outcome::Cancelled,
            },
            started,
            counted,
            extra,
        }
    }

    /// Begins a request on a thread whose local data has been destroyed. Its polls are
    /// timed on other threads only.
    #[cold]
    fn begin_without_thread(instance: &Arc<Instance>, method: Method, found: Found<'_>) -> Self {
        let route = match found.resolve() {
            Found::Template(name) => instance.routes.intern(&name),
            _ => UNMATCHED,
        };
        let recorder = Arc::new(SeriesRecorder::without_thread(
            instance,
            Series::new(route, method),
        ));
        recorder.request_started_without_thread();
        let started = instance.clock.ticks();
        Self {
            progress: Progress {
                recorder,
                last_poll_ended: started,
                outcome: Outcome::Cancelled,
            },
            started,
            counted: true,
            extra: None,
        }
    }

    /// Returns the start of the request, in ticks. The first poll is timed from it,
    /// which saves one reading of the clock.
    #[inline(always)]
    pub(super) fn started(&self) -> u64 {
        self.started
    }

    /// Records the response's head. Returns the length of the content in bytes, if it
    /// is known.
    #[inline]
    pub(super) fn response<B: Body>(&mut self, response: &Response<B>) -> Option<u64> {
        if let Some(extra) = &mut self.extra {
            extra.response(&self.progress, response.status(), response.headers());
        }
        // The body first: most bodies know their length, and a header costs a look-up.
        let length = response.body().size_hint().exact().or_else(|| {
            let value = response.headers().get(CONTENT_LENGTH)?;
            value.to_str().ok()?.parse().ok()
        });
        if length == Some(0) || self.has_no_content(response.status()) {
            self.completes_if_dropped();
        }
        length
    }

    /// Returns whether no content follows the head (RFC 9110, 6.4.1). Servers then drop
    /// the body without polling it.
    #[inline]
    fn has_no_content(&self, status: StatusCode) -> bool {
        let series = self.progress.recorder.series;
        series.has_method(Method::Head)
            || (series.has_method(Method::Connect) && status.is_success())
            || (status != StatusCode::OK
                && (status.is_informational()
                    || status == StatusCode::NO_CONTENT
                    || status == StatusCode::NOT_MODIFIED))
    }

    /// Notes that all content was handed over, so that a drop before the end of the body
    /// counts as completed.
    pub(super) fn completes_if_dropped(&mut self) {
        self.progress.outcome = Outcome::Completed;
    }

    /// Ends the request at the end of the poll that was timed last.
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
            self.progress.recorder.request_ended(outcome, ticks);
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

    /// Polls with the waker that measures the delay, if the request is sampled.
    #[cold]
    #[inline(never)]
    pub(super) fn poll<T>(
        &self,
        timed_by: Option<&SeriesRecorder>,
        cx: &mut Context<'_>,
        inner: impl FnOnce(&mut Context<'_>) -> T,
    ) -> T {
        let (Some(delay), Some(recorder)) = (&self.delay, timed_by) else {
            return inner(cx);
        };
        if let Some(ticks) = delay.poll_begins(cx.waker(), recorder.slot.started()) {
            recorder
                .cells
                .schedule_delay(&recorder.poll_config.bounds, ticks);
        }
        inner(&mut Context::from_waker(delay.waker()))
    }

    #[cold]
    fn response(&mut self, progress: &Progress, status: StatusCode, headers: &HeaderMap) {
        if let Some(path) = self.unconfirmed.take()
            && grpc_serves(status, headers)
            && let Some(instance) = progress.recorder.instance()
        {
            // Only later requests use the label: this one keeps the series it began with.
            instance.routes.intern(&path);
        }
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        if self.counted {
            let now = self.progress.recorder.poll_config.clock.ticks();
            self.count_end(now);
        }
    }
}

/// Returns the recorder of a request. Also returns the gRPC path, if only the response
/// can tell whether it may become a label.
#[inline(never)]
fn find_recorder(
    instance: &Arc<Instance>,
    thread_state: &ThreadState,
    method: Method,
    found: Found<'_>,
) -> (Arc<SeriesRecorder>, Option<Box<str>>) {
    let (route, unconfirmed) = match found.resolve() {
        Found::Template(name) => {
            return (thread_state.recorder_named(instance, &name, method), None);
        }
        Found::GrpcPath { path, otherwise } => {
            let is_full = thread_state.knows_all_routes(instance);
            match (thread_state.known_route(instance, path), otherwise) {
                (Some(route), _) => (route, None),
                (None, Some(template)) => (
                    thread_state.route_named(instance, template),
                    (!is_full).then(|| path.into()),
                ),
                (None, None) if is_full => (OVERFLOW, None),
                (None, None) => (UNMATCHED, Some(path.into())),
            }
        }
        Found::Matched { .. } | Found::Unmatched => (UNMATCHED, None),
    };
    let series = Series::new(route, method);
    (thread_state.recorder(instance, series), unconfirmed)
}
