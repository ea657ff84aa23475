use std::borrow::Cow;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, service_fn};
use tower_runtime_health::{RequestHead, RuntimeHealth};
use tower_runtime_health_bench::child::{self, Child};
use tower_runtime_health_bench::threads::cpu_of;

/// A service in a process of its own, with an exporter of a given number of series.
pub struct Server {
    child: Option<Child>,
    pub port: u16,
    pub exporter: u16,
}

impl Server {
    pub fn start(series: u64) -> Self {
        let mut child = Child::of_this(&["serve", &series.to_string()]);
        let ports = child.hear();
        let (port, exporter) = ports.split_once(' ').expect("two ports");
        let [port, exporter] = [port, exporter].map(|port| port.parse().expect("a port"));
        Self {
            child: Some(child),
            port,
            exporter,
        }
    }

    /// Returns a second handle for a server that another handle ends.
    pub fn at(port: u16) -> Self {
        Self {
            child: None,
            port,
            exporter: 0,
        }
    }

    fn ask(&mut self, question: &str) -> String {
        self.child.as_mut().expect("it is ours").ask(question)
    }

    /// Returns how many series its page has.
    pub fn series(&mut self) -> u64 {
        self.ask("series").parse().expect("a number")
    }

    /// Returns the CPU time of the exporter's thread so far, in nanoseconds.
    pub fn exporter_cpu(&mut self) -> f64 {
        self.ask("cpu").parse().expect("a number")
    }

    pub fn end(self) {
        if let Some(child) = self.child {
            child.end();
        }
    }
}

/// Runs in the server process.
pub fn run(series: u64) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let inside = runtime.enter();
    let health = RuntimeHealth::builder()
        .max_routes(4096)
        .serve_metrics((Ipv4Addr::LOCALHOST, 0))
        .start()
        .expect("valid options");
    fill(&health, series);
    let router: Router = Router::new()
        .route("/users/{id}", get(async || Bytes::from_static(b"hello")))
        .layer(health.layer());
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.set_nonblocking(true).expect("a socket can be");
    let port = listener.local_addr().expect("it is bound").port();
    let listener = tokio::net::TcpListener::from_std(listener).expect("inside a runtime");
    runtime.spawn(async move { axum::serve(listener, router).await });
    let exporter = health.metrics_addr().expect("it serves").port();
    println!("{port} {exporter}");
    child::answer(|question| match question {
        "series" => lines(&health).to_string(),
        "cpu" => cpu_of("health-exporter").to_string(),
        _ => panic!("no answer to {question}"),
    });
    drop(inside);
    runtime.shutdown_timeout(Duration::from_secs(1));
}

fn lines(health: &RuntimeHealth) -> u64 {
    let page = health.render();
    page.lines().filter(|line| !line.starts_with('#')).count() as u64
}

/// Makes this number of series, by requests to as many routes as that takes.
fn fill(health: &RuntimeHealth, series: u64) {
    let mut service = health.layer().route_by(by_path).layer(service_fn(answer));
    let mut next = 0;
    let mut add = |routes: u64| {
        for _ in 0..routes {
            let mut request = Request::new(());
            // The length of routes in practice.
            *request.uri_mut() = format!("/api/v1/resource-{next}").parse().expect("a path");
            next += 1;
            tokio::runtime::Handle::current().block_on(async {
                let Ok(answer) = service.call(request).await;
                drop(answer.into_body().collect().await);
            });
        }
    };
    let empty = lines(health);
    if empty >= series {
        return;
    }
    // The first route adds the families' common series as well, the second only its own.
    add(1);
    let first = lines(health);
    add(1);
    let each = lines(health) - first;
    add(series.saturating_sub(first) / each.max(1));
}

/// These paths are templates already.
fn by_path<'r>(head: RequestHead<'r>) -> Option<Cow<'r, str>> {
    Some(Cow::Borrowed(head.uri().path()))
}

async fn answer(_: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    tokio::task::yield_now().await;
    Ok(Response::new(Full::new(Bytes::from_static(b"done"))))
}
