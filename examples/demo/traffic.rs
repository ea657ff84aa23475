//! The clients: a thread with a runtime of its own, real HTTP over loopback.

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

/// Runs until dropped.
pub struct Traffic {
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Who sends what, how often.
type Steady = (Method, &'static str, Duration);

const HEALTHY: [Steady; 6] = [
    (Method::GET, "/hello", Duration::from_millis(10)),
    (Method::GET, "/users/7", Duration::from_millis(10)),
    (Method::GET, "/ping/perfect", Duration::from_millis(50)),
    (Method::GET, "/ping/good", Duration::from_millis(100)),
    (Method::GET, "/report/7", Duration::from_millis(300)),
    (Method::GET, "/stream", Duration::from_millis(1_000)),
];
/// Beside either of the two that go on.
const EXPORT: Steady = (Method::GET, "/export", Duration::from_millis(500));
const BLOCKING: [Steady; 3] = [
    (Method::GET, "/ping/terrible", Duration::from_millis(700)),
    (Method::POST, "/video/inline", Duration::from_millis(900)),
    (Method::GET, "/lock", Duration::from_millis(1_100)),
];

/// `None` if nothing is to be sent.
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
                for (method, path, every) in HEALTHY.into_iter().chain(blocking).chain(export) {
                    tokio::spawn(steady(Arc::clone(&http), app, method, path, every));
                }
                match kind {
                    Kind::None | Kind::Healthy => {}
                    Kind::All => drop(tokio::spawn(crowd(http, app))),
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

async fn steady(
    http: Arc<Http>,
    app: SocketAddr,
    method: Method,
    path: &'static str,
    every: Duration,
) {
    let mut ticks = interval(every);
    loop {
        ticks.tick().await;
        tokio::spawn(send(Arc::clone(&http), app, method.clone(), path));
    }
}

/// A hundred requests at once for a pool of forty threads.
async fn crowd(http: Arc<Http>, app: SocketAddr) {
    sleep(Duration::from_secs(3)).await;
    for _ in 0..100 {
        tokio::spawn(send(Arc::clone(&http), app, Method::GET, "/slow"));
    }
}

/// Crowds that come again before the last one is served, and now and then a
/// worker that is stuck.
async fn faults(http: Arc<Http>, app: SocketAddr) {
    loop {
        tokio::spawn(crowd(Arc::clone(&http), app));
        tokio::spawn(send(Arc::clone(&http), app, Method::GET, "/stuck"));
        sleep(Duration::from_secs(10)).await;
        tokio::spawn(crowd(Arc::clone(&http), app));
        sleep(Duration::from_secs(10)).await;
    }
}

async fn send(http: Arc<Http>, app: SocketAddr, method: Method, path: &'static str) {
    let request = Request::builder()
        .method(method)
        .uri(format!("http://{app}{path}"))
        .body(Body::empty());
    // What a client would do with an error; the figures are the service's.
    let Ok(request) = request else { return };
    if let Ok(mut response) = http.request(request).await {
        while let Some(Ok(_)) = response.body_mut().frame().await {}
    }
}
