//! Measures the memory that the library holds.
//!
//!   memory [--short]

use std::borrow::Cow;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_runtime_health::{RequestHead, RuntimeHealth};
use tower_runtime_health_bench::layers::sum;

/// The most memory for all threads and routes, in MiB.
const LIMIT: f64 = 64.0;

type Answer = Result<Response<Full<Bytes>>, Infallible>;

fn main() {
    let is_short = std::env::args().any(|argument| argument == "--short");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let _inside = runtime.enter();
    println!(
        "## Memory\n\nBytes allocated and not freed by the threads that handle the requests. *Resident* is the \
         process's `RssAnon`.\n"
    );
    at_start();
    threads_and_routes(if is_short { (4, 50) } else { (64, 500) });
    in_flight(if is_short { 1_000 } else { 10_000 });
    flood(if is_short { 5_000 } else { 100_000 });
}

/// Returns the anonymous resident memory of the process, in KiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
    number.expect("Linux says so since 4.5")
}

fn health(routes: usize) -> RuntimeHealth {
    let health = RuntimeHealth::builder().max_routes(routes).start();
    health.expect("valid options")
}

/// Labels a route by its raw path, which a service should not do.
fn by_path<'r>(head: RequestHead<'r>) -> Option<Cow<'r, str>> {
    Some(Cow::Owned(head.uri().path().to_owned()))
}

async fn answer(_: Request<()>) -> Answer {
    Ok(Response::new(Full::new(Bytes::from_static(b"hello"))))
}

/// Sends one request and reads its body to the end.
fn send<S, B>(service: &mut S, path: &str)
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible, Future: Send>,
    B: http_body::Body + Unpin,
{
    let mut cx = Context::from_waker(Waker::noop());
    let mut request = Request::new(());
    *request.uri_mut() = path.parse().expect("a path");
    let mut future = Box::pin(service.call(request));
    let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut cx) else {
        unreachable!("the handler awaits nothing");
    };
    let mut body = response.into_body();
    while let Poll::Ready(Some(_)) = Pin::new(&mut body).poll_frame(&mut cx) {}
}

fn at_start() {
    let before = resident();
    let health = health(512);
    let page = health.render();
    println!(
        "- at the start, before any request: {:.0} KiB resident",
        resident() - before
    );
    drop((health, page));
}

/// Every thread serves every route once.
fn threads_and_routes((threads, routes): (usize, usize)) {
    let health = health(routes);
    let before = resident();
    let all_done = Arc::new(Barrier::new(threads + 1));
    let handles: Vec<_> = (0..threads)
        .map(|_| {
            let layer = health.layer().route_by(by_path);
            let all_done = Arc::clone(&all_done);
            std::thread::spawn(move || {
                let mut service = layer.layer(service_fn(answer));
                let kept = |routes: std::ops::Range<usize>, service: &mut _| {
                    let send_all = || {
                        for route in routes {
                            send(service, &format!("/api/v1/resource-{route}"));
                        }
                    };
                    allocation_counter::measure(send_all).bytes_current
                };
                // The first route allocates what a thread needs once.
                let first = kept(0..1, &mut service);
                let rest = kept(1..routes, &mut service);
                all_done.wait();
                all_done.wait();
                (first, rest)
            })
        })
        .collect();
    all_done.wait();
    let resident = (resident() - before) / 1024.0;
    let requests = sum(&health.render(), "runtime_health_requests_total", "");
    assert_eq!(requests, (threads * routes) as u64);
    all_done.wait();
    let kept: Vec<_> = handles
        .into_iter()
        .map(|handle| handle.join().expect("it does not panic"))
        .collect();
    let each =
        kept.iter().map(|(_, rest)| rest).sum::<i64>() as f64 / (threads * (routes - 1)) as f64;
    let of_thread = kept.iter().map(|(first, _)| first).sum::<i64>() as f64 / threads as f64 - each;
    let total = kept.iter().map(|(first, rest)| first + rest).sum::<i64>() as f64 / 1_048_576.0;
    println!("- each thread x route (one method): {each:.0} bytes");
    println!("- each thread, once (its copy of all names): {of_thread:.0} bytes");
    let verdict = if total <= LIMIT { "met" } else { "**missed**" };
    println!(
        "- {threads} threads x {routes} routes, MiB, at most {LIMIT}: {total:.1}, {resident:.1} resident \
         with the threads' stacks: {verdict}"
    );
}

/// Measures requests that wait in their handler.
fn in_flight(requests: usize) {
    fn held<S>(service: &mut S, requests: usize) -> (f64, usize)
    where
        S: Service<Request<()>, Error = Infallible>,
    {
        let mut cx = Context::from_waker(Waker::noop());
        // The first request allocates what a thread needs once.
        drop(service.call(Request::new(())));
        let mut futures = Vec::with_capacity(requests);
        let counted = allocation_counter::measure(|| {
            for _ in 0..requests {
                let mut future = Box::pin(service.call(Request::new(())));
                assert!(future.as_mut().poll(&mut cx).is_pending());
                futures.push(future);
            }
        });
        (
            counted.bytes_current as f64 / requests as f64,
            size_of::<S::Future>(),
        )
    }
    let never = |_: Request<()>| std::future::pending::<Answer>();
    let (bare, bare_size) = held(&mut service_fn(never), requests);
    let health = health(512);
    let mut service = health.layer().layer(service_fn(never));
    let (ours, ours_size) = held(&mut service, requests);
    let page = health.render();
    assert_eq!(
        sum(&page, "runtime_health_requests_total", ""),
        requests as u64 + 1
    );
    println!(
        "- each request in flight: {:.0} bytes, of them {} in its future; the rest are the wakers of \
         the requests whose delay is measured, one in eight and all while there are few",
        ours - bare,
        ours_size - bare_size
    );
}

/// Measures an endless number of names, which clients can cause if a service labels by
/// raw path.
fn flood(paths: usize) {
    let routes = 512;
    let health = health(routes);
    let mut service = health.layer().route_by(by_path).layer(service_fn(answer));
    // All numbers differ and look like ids.
    let path = |number: usize| format!("/{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let kept = |from: usize, to: usize, service: &mut _| {
        let send_all = || (from..to).for_each(|number| send(service, &path(number)));
        allocation_counter::measure(send_all).bytes_current as f64 / 1024.0
    };
    let filled = kept(0, 2 * routes, &mut service);
    let flooded = kept(2 * routes, paths, &mut service);
    let page = health.render();
    let overflowed = sum(
        &page,
        "runtime_health_requests_total",
        "route=\"<overflow>\"",
    );
    assert_eq!(overflowed, (paths - routes) as u64);
    println!(
        "- {paths} random paths, labelled by raw path: {filled:.0} KiB for the first {routes} of them, \
         {flooded:.1} KiB for the rest; {overflowed} requests counted as `<overflow>`\n"
    );
    assert!(flooded < 64.0, "a flood of paths fills memory");
}
