use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use nix::sys::resource::{UsageWho, getrusage};
use tokio::net::TcpListener;
use tower::{Service, ServiceExt};
use tower_runtime_health_bench::child::Child;
use tower_runtime_health_bench::layers::{Kept, Middleware, Visitor};
use tower_runtime_health_bench::threads::pin;

/// The parent's view of a server process.
pub struct Server {
    pub middleware: Middleware,
    child: Child,
    pub port: u16,
}

impl Server {
    pub fn start(middleware: Middleware) -> Self {
        Self::of(middleware, Child::of_this(&["serve", middleware.key()]))
    }

    pub fn of(middleware: Middleware, mut child: Child) -> Self {
        let port = child.hear().parse().expect("its first line is its port");
        Self {
            middleware,
            child,
            port,
        }
    }

    /// Returns the CPU time of the whole process so far, in nanoseconds.
    pub fn cpu(&mut self) -> f64 {
        self.child.ask("cpu").parse().expect("a number")
    }

    /// Fails if it has not answered that many requests, or if its middleware has not
    /// recorded them.
    pub fn check(&mut self, requests: u64) {
        let expected = requests.to_string();
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let answer = self.child.ask("requests");
            let (served, recorded) = answer.split_once(' ').expect("two words");
            if served == expected && (recorded == "-" || recorded == expected) {
                return;
            }
            // The last answer may arrive before its request is recorded.
            let name = self.middleware.name();
            assert!(
                Instant::now() < deadline,
                "{name}: {served} served and {recorded} recorded of {expected}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn end(self) {
        self.child.end();
    }
}

/// Runs in the server process: prints its port, answers `cpu` and `requests`, and ends with
/// its standard input.
pub fn run(middleware: Middleware) {
    pin(1);
    // One worker: between two the work moves by chance, which costs more than the
    // difference to be measured.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let served = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&served);
    let router = Router::new().route(
        "/users/{id}",
        get(async move || {
            counter.fetch_add(1, Ordering::Relaxed);
            Bytes::from_static(b"hello")
        }),
    );
    let inside = runtime.enter();
    let (port, kept) = middleware.on(router, Serve);
    println!("{port}");
    tower_runtime_health_bench::child::answer(|question| match question {
        "cpu" => {
            let usage = getrusage(UsageWho::RUSAGE_SELF).expect("it is always there");
            let nanos = [usage.user_time(), usage.system_time()]
                .map(|time| time.tv_sec() * 1_000_000_000 + time.tv_usec() * 1000);
            nanos.iter().sum::<i64>().to_string()
        }
        "requests" => {
            let recorded = kept.recorded();
            let recorded = recorded.map_or("-".into(), |recorded| recorded.to_string());
            format!("{} {recorded}", served.load(Ordering::Relaxed))
        }
        _ => panic!("no answer to {question}"),
    });
    drop(inside);
    runtime.shutdown_timeout(Duration::from_secs(1));
}

/// Serves on a free port, as `axum::serve` does.
struct Serve;

impl Visitor for Serve {
    type Output = (u16, Kept);

    fn visit<S, B>(self, service: S, kept: Kept) -> (u16, Kept)
    where
        S: Service<
                Request<Body>,
                Response = Response<B>,
                Error = Infallible,
                Future: Send + 'static,
            > + Clone
            + Send
            + Sync
            + 'static,
        B: http_body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
            + Send
            + 'static,
    {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        listener.set_nonblocking(true).expect("a socket can be");
        let listener = TcpListener::from_std(listener).expect("inside a runtime");
        let service = service.map_request(|request: Request<Incoming>| request.map(Body::new));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("a socket can be");
                let service = TowerToHyperService::new(service.clone());
                tokio::spawn(Measured(Box::pin(async move {
                    let builder = auto::Builder::new(MeasuredTasks);
                    // A client that disconnects is no error here.
                    let _ = builder
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                })));
            }
        });
        (port, kept)
    }
}

/// A task whose polls callgrind counts: all work for a connection but the runtime's
/// scheduling and waiting.
struct Measured<F>(Pin<Box<F>>);

impl<F: Future> Future for Measured<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        measured_poll(self.0.as_mut(), cx)
    }
}

#[inline(never)]
fn measured_poll<F: Future>(future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
    future.poll(cx)
}

/// Spawns the tasks that hyper makes for HTTP/2 streams.
#[derive(Clone)]
struct MeasuredTasks;

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for MeasuredTasks {
    fn execute(&self, future: F) {
        tokio::spawn(Measured(Box::pin(future)));
    }
}
