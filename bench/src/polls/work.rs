//! The work of the first part: polling a future that is not ready.

use std::convert::Infallible;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use tokio_metrics::{FutureMonitor, TaskMonitor};
use tower::{Layer, Service, service_fn};
use tower_http::trace::{DefaultMakeSpan, TraceLayer};
use tower_runtime_health::RuntimeHealth;
use tracing::Level;

use tower_runtime_health_bench::contender::Work;

/// The future that the contenders poll. It is never ready and has no state, so that
/// polling it costs next to nothing.
#[derive(Clone, Copy)]
pub enum Unready {
    /// The task is never woken.
    Idle,
    /// Each poll wakes the task, as `yield_now` does, so that each poll but the first
    /// follows a wake.
    Woken,
}

impl Future for Unready {
    type Output = Result<Response<Empty<Bytes>>, Infallible>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if matches!(*self, Self::Woken) {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

/// Polls one future again and again.
///
/// `black_box` hides the future, the context and the answer from the optimiser, so that it
/// makes every poll and hoists none out of the loop. The output itself is not hidden, because
/// moving it would be measured.
fn poll_again<F: Future + 'static>(future: F) -> Work {
    let mut future = Box::pin(future);
    Box::new(move |polls| {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..polls {
            let poll = black_box(future.as_mut()).poll(black_box(&mut cx));
            black_box(poll.is_pending());
        }
    })
}

/// The future alone.
pub fn nothing(future: Unready) -> Work {
    poll_again(future)
}

/// The future between two reads of the clock that our layer reads: the least that a
/// timed poll costs.
pub fn two_clock_reads(future: Unready) -> Work {
    struct Timed {
        future: Unready,
        clock: quanta::Clock,
    }

    impl Future for Timed {
        type Output = <Unready as Future>::Output;

        #[inline]
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
            let start = self.clock.raw();
            let poll = Pin::new(&mut self.future).poll(cx);
            black_box(self.clock.raw().saturating_sub(start));
            poll
        }
    }

    poll_again(Timed {
        future,
        clock: quanta::Clock::new(),
    })
}

/// The future as the response future of a service inside our layer. All polls belong to
/// one call, because their cost is measured and not the call's.
pub fn our_layer(health: &RuntimeHealth, future: Unready) -> Work {
    let service = service_fn(move |_: Request<()>| future);
    poll_again(health.layer().layer(service).call(Request::new(())))
}

/// The future inside `FutureMonitor::instrument`, without a task around it.
pub fn future_monitor(future: Unready) -> Work {
    poll_again(FutureMonitor::new().instrument(future))
}

/// The future as the response future of a service inside tower-http's `TraceLayer`,
/// without a subscriber.
pub fn trace(future: Unready) -> Work {
    let service = service_fn(move |_: Request<Empty<Bytes>>| future);
    poll_again(
        TraceLayer::new_for_http()
            .layer(service)
            .call(Request::new(Empty::new())),
    )
}

/// The same with the span at INFO and a subscriber that discards the text: each poll
/// enters and exits the span.
pub fn trace_info(future: Unready) -> Work {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::INFO)
        .with_writer(std::io::sink)
        .finish();
    // For this thread, for as long as the work exists.
    let subscribed = tracing::subscriber::set_default(subscriber);
    let service = service_fn(move |_: Request<Empty<Bytes>>| future);
    let layer =
        TraceLayer::new_for_http().make_span_with(DefaultMakeSpan::new().level(Level::INFO));
    let mut work = poll_again(layer.layer(service).call(Request::new(Empty::new())));
    Box::new(move |polls| {
        let _ = &subscribed;
        work(polls);
    })
}

/// The future inside `TaskMonitor::instrument`.
pub fn task_monitor(monitor: &TaskMonitor, future: Unready) -> Work {
    poll_again(monitor.instrument(future))
}
