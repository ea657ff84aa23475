//! The clients. They send HTTP over loopback from a thread with a runtime of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Method, Request};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::{interval, sleep};

use crate::options::Traffic as Kind;

type Http = Client<HttpConnector, Body>;

/// The clients run until this is dropped.
pub struct Traffic {
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Method, path, interval.
type Periodic = (Method, &'static str, Duration);

const HEALTHY: [Periodic; 6] = [
    (Method::GET, "/hello", Duration::from_millis(10)),
    (Method::GET, "/users/7", Duration::from_millis(10)),
    (Method::GET, "/ping/perfect", Duration::from_millis(50)),
    (Method::GET, "/ping/good", Duration::from_millis(100)),
    (Method::GET, "/report/7", Duration::from_millis(300)),
    (Method::GET, "/stream", Duration::from_millis(1_000)),
];
/// Sent with `healthy` and `faulty`, which feed the dashboards: one panel shows calls of
/// `block_in_place`.
const EXPORT: Periodic = (Method::GET, "/export", Duration::from_millis(500));
const BLOCKING: [Periodic; 3] = [
    (Method::GET, "/ping/terrible", Duration::from_millis(700)),
    (Method::POST, "/video/inline", Duration::from_millis(900)),
    (Method::GET, "/lock", Duration::from_millis(1_100)),
];

/// Returns `None` if there is nothing to send.
pub fn start(app: SocketAddr, kind: Kind) -> std::io::Result<Option<Traffic>> {
    if kind == Kind::None {
        return Ok(None);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("demo-clients".into())
        .spawn(move || {
            runtime.block_on(async {
                let http: Arc<Http> = Arc::new(Client::builder(TokioExecutor::new()).build_http());
                let blocking = BLOCKING.into_iter().filter(|_| kind != Kind::Healthy);
                let export = (kind != Kind::All).then_some(EXPORT);
                for (method, path, period) in HEALTHY.into_iter().chain(blocking).chain(export) {
                    tokio::spawn(periodic(Arc::clone(&http), app, method, path, period));
                }
                match kind {
                    Kind::None | Kind::Healthy => {}
                    Kind::All => drop(tokio::spawn(burst(http, app))),
                    Kind::Faulty => drop(tokio::spawn(faults(http, app))),
                }
                drop(stopped.await);
            });
        })?;
    Ok(Some(Traffic {
        stop: Some(stop),
        thread: Some(thread),
    }))
}

impl Drop for Traffic {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn periodic(
    http: Arc<Http>,
    app: SocketAddr,
    method: Method,
    path: &'static str,
    period: Duration,
) {
    let mut ticks = interval(period);
    loop {
        ticks.tick().await;
        tokio::spawn(send(Arc::clone(&http), app, method.clone(), path));
    }
}

/// Sends a hundred requests at once; the pool has forty threads.
async fn burst(http: Arc<Http>, app: SocketAddr) {
    sleep(Duration::from_secs(3)).await;
    for _ in 0..100 {
        tokio::spawn(send(Arc::clone(&http), app, Method::GET, "/slow"));
    }
}

/// Sends a burst before the last one is served, and blocks a worker every twenty seconds.
async fn faults(http: Arc<Http>, app: SocketAddr) {
    loop {
        tokio::spawn(burst(Arc::clone(&http), app));
        tokio::spawn(send(Arc::clone(&http), app, Method::GET, "/stuck"));
        sleep(Duration::from_secs(10)).await;
        tokio::spawn(burst(Arc::clone(&http), app));
        sleep(Duration::from_secs(10)).await;
    }
}

async fn send(http: Arc<Http>, app: SocketAddr, method: Method, path: &'static str) {
    let request = Request::builder()
        .method(method)
        .uri(format!("http://{app}{path}"))
        .body(Body::empty());
    // Errors do not matter here: the service counts its own requests.
    let Ok(request) = request else { return };
    if let Ok(mut response) = http.request(request).await {
        while let Some(Ok(_)) = response.body_mut().frame().await {}
    }
}
