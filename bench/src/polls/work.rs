//! Work of the first part: polling a future that is not ready.

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

/// What the contenders poll: never ready, and without any state, so that next
/// to nothing is subtracted from the contenders as the cost of polling it.
#[derive(Clone, Copy)]
pub enum Unready {
    /// Nobody wakes the task.
    Idle,
    /// Wakes its task in each poll, as `yield_now` does: each poll but the
    /// first follows a wake.
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
/// The boxes black to the optimiser are around the future (its memory may have
/// changed), the context and the answer: every poll is made and none is hoisted
/// out. The output itself stays outside of them, or its size would be measured.
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

/// The future between two readings of the clock our layer reads: what a timed
/// poll cannot do without.
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

/// The future as the response future of a service inside our layer. One call
/// for all polls: it is their cost that is wanted.
pub fn our_layer(health: &RuntimeHealth, future: Unready) -> Work {
    let service = service_fn(move |_: Request<()>| future);
    poll_again(health.layer().layer(service).call(Request::new(())))
}

/// The future inside `FutureMonitor::instrument`, without a task around it.
pub fn future_monitor(future: Unready) -> Work {
    poll_again(FutureMonitor::new().instrument(future))
}

/// The future as the response future of a service inside tower-http's
/// `TraceLayer`, while nobody subscribes.
pub fn trace(future: Unready) -> Work {
    let service = service_fn(move |_: Request<Empty<Bytes>>| future);
    poll_again(
        TraceLayer::new_for_http()
            .layer(service)
            .call(Request::new(Empty::new())),
    )
}

/// The same with the span at INFO, and a subscriber that writes nowhere: each
/// poll enters the span and leaves it.
pub fn trace_info(future: Unready) -> Work {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::INFO)
        .with_writer(std::io::sink)
        .finish();
    // Of this thread, as long as the work is there.
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
