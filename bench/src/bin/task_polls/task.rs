use std::convert::Infallible;
use std::future::poll_fn;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use tower::{Layer, Service, service_fn};
use tower_runtime_health::RuntimeHealth;

/// Wakes its task this number of times, then is ready.
pub struct Woken(pub u64);

impl Future for Woken {
    type Output = Result<Response<Empty<Bytes>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.0 == 0 {
            return Poll::Ready(Ok(Response::new(Empty::new())));
        }
        self.0 -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The task without an observer of its own.
pub async fn bare(wakes: u64) {
    drop(Woken(wakes).await);
}

/// The same future between two reads of the clock that our layer reads: the least that a
/// timed poll costs.
pub async fn between_two_clock_reads(wakes: u64) {
    let clock = quanta::Clock::new();
    let mut future = Woken(wakes);
    let timed = poll_fn(|cx| {
        let start = clock.raw();
        let poll = Pin::new(&mut future).poll(cx);
        black_box(clock.raw().saturating_sub(start));
        poll
    });
    drop(timed.await);
}

/// The same future as the response future of a service inside our layer.
pub fn inside_our_layer(health: &RuntimeHealth, wakes: u64) -> impl Future<Output = ()> + use<> {
    let mut service = health
        .layer()
        .layer(service_fn(move |_: Request<()>| Woken(wakes)));
    async move { drop(service.call(Request::new(())).await) }
}
