//! Invalid options, panics, and requests that are dropped at odd moments.
#![allow(
    clippy::disallowed_methods,
    reason = "a test may start an unnamed thread"
)]

use std::convert::Infallible;
use std::future::pending;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::{Request, Response};
use tower::{Layer, Service, ServiceExt};
use tower_runtime_health::{Builder, Error, RuntimeHealth};

use crate::support::{
    self, DEADLINE, LOOPBACK, Outcomes, Server, connect, scrape, serve_axum, wait_for,
};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// An instance with its exporter on a free port.
fn health(runtime: &tokio::runtime::Runtime) -> RuntimeHealth {
    let options = RuntimeHealth::builder().serve_metrics(LOOPBACK);
    options
        .observe_runtime(runtime.handle(), "main")
        .start()
        .unwrap()
}

fn page(health: &RuntimeHealth) -> support::Metrics {
    scrape(health.metrics_addr().unwrap())
}

#[test]
fn options_out_of_range_are_refused_with_name_and_range() {
    let runtime = runtime();
    let refused = |builder: Builder| -> Error {
        builder
            .observe_runtime(runtime.handle(), "main")
            .start()
            .unwrap_err()
    };
    let new = RuntimeHealth::builder;
    let zero = Duration::ZERO;
    for (builder, option, range) in [
        (new().threshold(zero), "`threshold`", "1 ms to 1 h"),
        (new().threshold(Duration::MAX), "`threshold`", "1 ms to 1 h"),
        (new().max_routes(0), "`max_routes`", "1 to 65536"),
        (new().max_findings(0), "`max_findings`", "1 to 65536"),
        (new().namespace(""), "`namespace`", "letters"),
        (
            new().namespace("9lives"),
            "`namespace`",
            "not a digit first",
        ),
        (new().namespace("a-b"), "`namespace`", "underscores"),
        (
            new().scheduler_lag_interval(zero),
            "`scheduler_lag_interval`",
            "10 ms to 1 h",
        ),
        (
            new().max_blocking_threads(0),
            "`max_blocking_threads`",
            "from 1",
        ),
    ] {
        let error = refused(builder);
        assert!(error.is_invalid_option());
        let text = error.to_string();
        assert!(text.contains(option) && text.contains(range), "{text}");
    }
    let twice = new().observe_runtime(runtime.handle(), "main");
    assert!(refused(twice).is_invalid_option());
}

#[test]
fn outside_of_a_runtime_the_error_says_to_pass_a_handle() {
    let error = RuntimeHealth::builder().start().unwrap_err();
    assert!(error.is_missing_runtime());
    assert!(error.to_string().contains("`Handle`"), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn an_address_in_use_is_named_and_nothing_is_left_running() {
    let runtime = runtime();
    let taken = std::net::TcpListener::bind(LOOPBACK).unwrap();
    let addr = taken.local_addr().unwrap();
    let start = || {
        let options = RuntimeHealth::builder().serve_metrics(addr);
        options.observe_runtime(runtime.handle(), "main").start()
    };
    let error = start().unwrap_err();
    assert!(error.is_bind());
    assert!(error.to_string().contains(&addr.to_string()), "{error}");
    drop(taken);
    // The failed start holds neither the port nor the runtime.
    let health = start().unwrap();
    assert_eq!(health.metrics_addr(), Some(addr));
}

#[test]
fn a_handler_that_panics_is_an_error_and_leaves_no_slot_entered() {
    let router = Router::new().route(
        "/panics",
        get(|| async { std::panic::resume_unwind(Box::new("on purpose")) as () }),
    );
    let server = Server::axum(RuntimeHealth::builder(), router);
    for _ in 0..4 {
        let answer = support::exchange(server.addr(), b"GET /panics HTTP/1.1\r\nhost: x\r\n\r\n");
        assert_eq!(answer, b"");
    }
    let metrics = support::settled(&server, 4);
    let ended = Outcomes::of(&metrics);
    assert_eq!(ended, Outcomes::error(4));
    // A slot that is still entered would be a stall by now.
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(
        server.metrics().sum("runtime_health_stalled_polls", &[]),
        0.0
    );
}

#[test]
fn requests_dropped_at_any_point_are_cancelled_once() {
    let runtime = runtime();
    let health = health(&runtime);
    let mut service = health
        .layer()
        .layer(tower::service_fn(|wait: Request<bool>| async move {
            if *wait.body() {
                pending::<()>().await;
            }
            Ok::<_, Infallible>(Response::new(String::from("body")))
        }));
    let mut cx = Context::from_waker(Waker::noop());
    let ended = || Outcomes::of(&page(&health));

    drop(service.call(Request::new(true)));
    assert_eq!(ended(), Outcomes::cancelled(1), "before its first poll");
    {
        let mut future = pin!(service.call(Request::new(true)));
        assert!(future.as_mut().poll(&mut cx).is_pending());
    }
    assert_eq!(ended(), Outcomes::cancelled(2), "after a poll");
    {
        let mut future = pin!(service.call(Request::new(false)));
        let Poll::Ready(response) = future.as_mut().poll(&mut cx) else {
            panic!("pending")
        };
        drop(response);
        assert_eq!(ended(), Outcomes::cancelled(3), "with its body unread");
    }
    assert_eq!(
        ended(),
        Outcomes::cancelled(3),
        "the finished future is not counted again"
    );
    let in_flight = page(&health).sum("runtime_health_requests_in_flight", &[]);
    assert_eq!(in_flight, 0.0);
}

#[test]
fn a_layer_inside_another_one_counts_nothing_twice() {
    let router = Router::new().route("/inner/{id}", get(|| async { "x" }));
    let server = Server::layered(RuntimeHealth::builder(), |listener, layer| {
        let nested = Router::new()
            .nest("/outer", router.layer(layer.clone()))
            .layer(layer);
        serve_axum(listener, nested)
    });
    for _ in 0..3 {
        assert_eq!(support::get(server.addr(), "/outer/inner/7").body, "x");
    }
    let metrics = support::settled(&server, 3);
    assert_eq!(Outcomes::of(&metrics).total(), 3);
    let routes = metrics.label_values("runtime_health_requests_total", "route");
    assert_eq!(routes, ["/outer/inner/{id}"]);
    // One poll each for `call`, the future and the body's frame.
    let polls = metrics.sum("runtime_health_poll_duration_seconds_count", &[]);
    assert_eq!(polls, 9.0);
}

#[test]
fn a_request_that_moves_out_of_an_outer_poll_is_timed_where_it_is_polled() {
    let runtime = runtime();
    let health = health(&runtime);
    let inner = health
        .layer()
        .route_by(|_| Some("/inner".into()))
        .layer(tower::service_fn(|_: Request<()>| async {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(Response::new(String::new()))
        }));
    // The handler moves the inner request to a task of its own.
    let outer = health
        .layer()
        .route_by(|_| Some("/outer".into()))
        .layer(tower::service_fn(move |request: Request<()>| {
            let mut inner = inner.clone();
            async move {
                let future = inner.call(request);
                Ok::<_, Infallible>(tokio::spawn(future).await.unwrap().unwrap())
            }
        }));
    drop(runtime.block_on(outer.oneshot(Request::new(()))).unwrap());
    let metrics = page(&health);
    let of = |name: &str, route| metrics.sum(name, &[("route", route)]);
    assert_eq!(of("runtime_health_requests_total", "/outer"), 1.0);
    assert_eq!(of("runtime_health_requests_total", "/inner"), 0.0);
    assert_eq!(
        of("runtime_health_poll_duration_seconds_count", "/inner"),
        2.0
    );
}

#[test]
fn a_request_whose_client_disconnects_is_cancelled() {
    let router = Router::new().route("/wait", get(pending::<()>));
    let server = Server::axum(RuntimeHealth::builder(), router);
    let mut client = connect(server.addr());
    std::io::Write::write_all(&mut client, b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let in_flight = || {
        server
            .metrics()
            .value("runtime_health_requests_in_flight", &[("route", "/wait")])
    };
    wait_for(DEADLINE, || in_flight() == Some(1.0));
    drop(client);
    wait_for(DEADLINE, || in_flight() == Some(0.0));
    assert_eq!(Outcomes::of(&server.metrics()), Outcomes::cancelled(1));
}

#[test]
fn requests_dropped_while_their_thread_ends_are_still_counted() {
    thread_local! {
        static KEPT: std::cell::RefCell<Option<Box<dyn std::any::Any>>> = const { std::cell::RefCell::new(None) };
    }
    let runtime = runtime();
    let health = health(&runtime);
    let layer = health.layer();
    std::thread::spawn(move || {
        // Used first, so that it is dropped last, after the layer's thread-local data.
        KEPT.with(|kept| drop(kept.borrow()));
        let mut service = layer.layer(tower::service_fn(|_: Request<()>| async {
            pending::<Result<Response<String>, Infallible>>().await
        }));
        let future = service.call(Request::new(()));
        KEPT.with(|kept| *kept.borrow_mut() = Some(Box::new(future)));
    })
    .join()
    .unwrap();
    let metrics = page(&health);
    assert_eq!(Outcomes::of(&metrics), Outcomes::cancelled(1));
    assert_eq!(metrics.sum("runtime_health_requests_in_flight", &[]), 0.0);
}
