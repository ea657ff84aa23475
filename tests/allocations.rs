//! The hot path allocates nothing, in debug and in release.
//!
//! This is a binary of its own because `allocation_counter` replaces its global allocator.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use tower::{Layer, Service};
use tower_runtime_health::{Builder, RuntimeHealth};

const POLLS: usize = 10_000;

/// A body that never ends and allocates nothing.
struct Endless;

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"frame")))))
    }
}

/// Responds after `polls` polls that are pending.
async fn respond_after(polls: usize) -> Result<Response<Endless>, Infallible> {
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    Ok(Response::new(Endless))
}

/// Returns how many bytes 10,000 polls of a future and as many of a body allocate, after a first
/// request on this thread.
fn bytes_allocated(builder: Builder) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let health = builder
        .observe_runtime(runtime.handle(), "test")
        .start()
        .unwrap();
    let layer = health.layer().route_by(|_| Some("/route".into()));
    let mut service = layer.layer(tower::service_fn(|_: Request<()>| respond_after(POLLS)));
    let mut cx = Context::from_waker(Waker::noop());
    let mut allocated = 0;
    for _warm_then_measured in 0..2 {
        let mut future = pin!(service.call(Request::new(())));
        // The first poll may set up thread-local data.
        assert!(future.as_mut().poll(&mut cx).is_pending());
        let polls = allocation_counter::measure(|| {
            for _ in 0..POLLS - 1 {
                assert!(future.as_mut().poll(&mut cx).is_pending());
            }
        });
        let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut cx) else {
            panic!("not ready")
        };
        let mut body = pin!(response.into_body());
        let frames = allocation_counter::measure(|| {
            for _ in 0..POLLS {
                assert!(matches!(
                    body.as_mut().poll_frame(&mut cx),
                    Poll::Ready(Some(Ok(_)))
                ));
            }
        });
        allocated = polls.bytes_total + frames.bytes_total;
    }
    allocated
}

#[test]
fn polls_allocate_nothing() {
    let builder = RuntimeHealth::builder().schedule_delay_sampling(None);
    assert_eq!(bytes_allocated(builder), 0);
}

#[test]
fn polls_of_a_request_with_a_sampled_schedule_delay_allocate_nothing() {
    assert_eq!(
        bytes_allocated(RuntimeHealth::builder().schedule_delay_sampling(1)),
        0
    );
}

#[test]
fn blocking_polls_allocate_nothing_on_the_thread_that_blocks() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let health = RuntimeHealth::builder()
        .threshold(Duration::from_millis(1))
        .observe_runtime(runtime.handle(), "test")
        .start()
        .unwrap();
    let mut service = health
        .layer()
        .layer(tower::service_fn(|_: Request<()>| async {
            std::thread::sleep(Duration::from_millis(2));
            respond_after(0).await
        }));
    let mut poll_once = || {
        let mut future = pin!(service.call(Request::new(())));
        let mut cx = Context::from_waker(Waker::noop());
        let mut ready = None;
        let seen = allocation_counter::measure(|| ready = Some(future.as_mut().poll(&mut cx)));
        assert!(ready.is_some_and(|ready| ready.is_ready()));
        seen.bytes_total
    };
    poll_once();
    assert_eq!(poll_once(), 0);
}

#[test]
fn the_allocation_counter_counts() {
    let seen = allocation_counter::measure(|| drop(std::hint::black_box(vec![0_u8; 100])));
    assert_eq!(seen.bytes_total, 100);
}
