//! What the integration tests share: servers on free loopback ports, with and
//! without the layer, a raw client, and the metrics page.
//!
//! Each server has a runtime of its own, which ends with it; nothing here needs
//! one of the caller, and nothing sleeps but [`wait_for`].

#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses a part of this"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper fails its test by panicking"
)]

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tower::Service;
use tower::layer::Layer;
use tower_runtime_health::{Builder, RuntimeHealth, RuntimeHealthLayer};

/// How long anything may take before its test fails. Far more than it needs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// A server with a runtime of its own; both end when it is dropped.
pub(crate) struct Server {
    addr: SocketAddr,
    runtime: Option<Runtime>,
    health: Option<RuntimeHealth>,
}

impl Server {
    /// Runs `serve` on a free port.
    pub(crate) fn bare<F>(serve: impl FnOnce(TcpListener) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (runtime, listener, addr) = listen(&mut two_workers());
        runtime.spawn(serve(listener));
        Self {
            addr,
            runtime: Some(runtime),
            health: None,
        }
    }

    /// Runs `serve` on a free port, with a layer that is made by `options` and
    /// observes the server's runtime. The exporter listens on a free port, too.
    pub(crate) fn layered<F>(
        options: Builder,
        serve: impl FnOnce(TcpListener, RuntimeHealthLayer) -> F,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::layered_on(&mut two_workers(), options, serve)
    }

    /// As [`layered`](Self::layered), on a runtime of the test's choice.
    pub(crate) fn layered_on<F>(
        runtime: &mut tokio::runtime::Builder,
        options: Builder,
        serve: impl FnOnce(TcpListener, RuntimeHealthLayer) -> F,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (runtime, listener, addr) = listen(runtime);
        let health = options
            .observe_runtime(runtime.handle(), "main")
            .serve_metrics(LOOPBACK)
            .start()
            .unwrap();
        runtime.spawn(serve(listener, health.layer()));
        Self {
            addr,
            runtime: Some(runtime),
            health: Some(health),
        }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The `RuntimeHealth` of a layered server.
    pub(crate) fn health(&self) -> &RuntimeHealth {
        self.health.as_ref().expect("a layered server")
    }

    /// The metrics page of a layered server, over HTTP.
    pub(crate) fn metrics(&self) -> Metrics {
        scrape(self.health().metrics_addr().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Drops all connections, then waits for the threads.
            runtime.shutdown_timeout(DEADLINE);
        }
    }
}

pub(crate) fn two_workers() -> tokio::runtime::Builder {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2);
    builder
}

fn listen(builder: &mut tokio::runtime::Builder) -> (Runtime, TcpListener, SocketAddr) {
    let runtime = builder.enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind(LOOPBACK)).unwrap();
    let addr = listener.local_addr().unwrap();
    (runtime, listener, addr)
}

/// The same service twice: bare, and inside the layer.
pub(crate) struct Pair {
    pub(crate) bare: Server,
    pub(crate) layered: Server,
}

impl Pair {
    /// With hyper, the layer around the whole service.
    pub(crate) fn hyper<S, B>(service: S) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let twin = service.clone();
        Self {
            bare: Server::bare(|listener| serve_hyper(listener, twin)),
            layered: Server::layered(RuntimeHealth::builder(), |listener, layer| {
                serve_hyper(listener, layer.layer(service))
            }),
        }
    }

    /// With axum, the layer on the router.
    pub(crate) fn axum(router: axum::Router) -> Self {
        let twin = router.clone();
        Self {
            bare: Server::bare(|listener| serve_axum(listener, twin)),
            layered: Server::layered(RuntimeHealth::builder(), |listener, layer| {
                serve_axum(listener, router.layer(layer))
            }),
        }
    }

    /// What `client` gets from the bare server and from the layered one.
    pub(crate) fn each<T>(&self, client: impl Fn(SocketAddr) -> T) -> (T, T) {
        (client(self.bare.addr()), client(self.layered.addr()))
    }
}

/// Serves HTTP/1 and HTTP/2, with upgrades, until it is dropped.
pub(crate) async fn serve_hyper<S, B>(listener: TcpListener, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let service = TowerToHyperService::new(service.clone());
        drop(tokio::spawn(async move {
            // Errors are what some tests are about; the client sees them.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection_with_upgrades(TokioIo::new(stream), service)
                .await;
        }));
    }
}

pub(crate) async fn serve_axum(listener: TcpListener, router: axum::Router) {
    axum::serve(listener, router).await.unwrap();
}

/// Runs a client on a runtime of its own. Fails after [`DEADLINE`].
///
/// What the client spawns goes on while it blocks its thread, as with
/// [`wait_for`]; it is gone when this returns.
#[track_caller]
pub(crate) fn run<T>(client: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    match runtime.block_on(async { tokio::time::timeout(DEADLINE, client).await }) {
        Ok(output) => output,
        Err(_) => panic!("the client did not end within {DEADLINE:?}"),
    }
}

/// Waits until `condition` holds. Fails after `deadline`.
#[track_caller]
pub(crate) fn wait_for(deadline: Duration, mut condition: impl FnMut() -> bool) {
    #[expect(clippy::disallowed_methods, reason = "no figure comes from it")]
    let started = std::time::Instant::now();
    while !condition() {
        assert!(
            started.elapsed() < deadline,
            "the condition did not hold within {deadline:?}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A blocking connection on which nothing takes longer than [`DEADLINE`].
pub(crate) fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&addr, DEADLINE).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends a GET and does not wait for its answer.
pub(crate) fn fire(server: &Server, path: &str) -> TcpStream {
    let mut stream = connect(server.addr());
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    stream
}

/// Sends these bytes and gives all that come back until the server closes the
/// connection.
pub(crate) fn exchange(addr: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = connect(addr);
    // A server may answer and close before it has read everything.
    let _ = stream.write_all(request);
    read_to_close(&mut stream)
}

/// All bytes until the other side closes the connection, in whichever way.
pub(crate) fn read_to_close(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&bytes)),
    }
    bytes
}

/// An answer to [`get`].
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The status line and the headers.
    pub(crate) head: String,
    pub(crate) body: String,
}

/// A plain, blocking HTTP/1.1 GET, for which no runtime has to be alive.
pub(crate) fn get(addr: SocketAddr, path: &str) -> Reply {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
    let answer = String::from_utf8(exchange(addr, request.as_bytes())).unwrap();
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no head in {answer:?}"));
    Reply {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// The metrics page of an exporter, over HTTP.
pub(crate) fn scrape(exporter: SocketAddr) -> Metrics {
    let reply = get(exporter, "/metrics");
    assert_eq!(reply.status, 200, "{}", reply.head);
    Metrics::parse(&reply.body)
}

/// The samples of a metrics page.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    samples: Vec<Sample>,
}

/// One line of a metrics page.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// With its namespace, and with the suffix of a histogram's part.
    pub(crate) name: String,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: f64,
}

impl Sample {
    fn label(&self, name: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(label, _)| label == name);
        found.map(|(_, value)| value.as_str())
    }

    fn has(&self, labels: &[(&str, &str)]) -> bool {
        labels
            .iter()
            .all(|(name, value)| self.label(name) == Some(value))
    }
}

impl Metrics {
    pub(crate) fn parse(page: &str) -> Self {
        let lines = page.lines();
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let samples = lines.map(|line| {
            parse_sample(line).unwrap_or_else(|| panic!("not a line of a metrics page: {line:?}"))
        });
        Self {
            samples: samples.collect(),
        }
    }

    /// All samples of this name that have these labels, and perhaps more.
    pub(crate) fn with<'m>(
        &'m self,
        name: &'m str,
        labels: &'m [(&str, &str)],
    ) -> impl Iterator<Item = &'m Sample> {
        let samples = self.samples.iter();
        samples.filter(move |sample| sample.name == name && sample.has(labels))
    }

    /// The value of the sample that has these labels and no others, in
    /// whichever order.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.with(name, labels)
            .find(|sample| sample.labels.len() == labels.len())
            .map(|sample| sample.value)
    }

    /// The sum of all samples that have these labels, and perhaps more; 0
    /// without any.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.with(name, labels).map(|sample| sample.value).sum()
    }

    /// All values of one label of a metric, each once, sorted.
    pub(crate) fn label_values(&self, name: &str, label: &str) -> Vec<String> {
        let values = self
            .with(name, &[])
            .filter_map(|sample| sample.label(label));
        let mut values: Vec<_> = values.map(str::to_owned).collect();
        values.sort();
        values.dedup();
        values
    }
}

/// `name 1` or `name{label="value",…} 1`, with `\\`, `\"` and `\n` in values.
fn parse_sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(list) = rest.strip_prefix('{') {
        rest = list;
        while !rest.starts_with('}') {
            let (label, after) = rest.trim_start_matches(',').split_once("=\"")?;
            let (mut value, mut chars) = (String::new(), after.chars());
            loop {
                match chars.next()? {
                    '"' => break,
                    '\\' => value.push(match chars.next()? {
                        'n' => '\n',
                        other => other,
                    }),
                    other => value.push(other),
                }
            }
            labels.push((label.to_owned(), value));
            rest = chars.as_str();
        }
        rest = &rest[1..];
    }
    Some(Sample {
        name: name.to_owned(),
        labels,
        value: rest.trim().parse().ok()?,
    })
}

/// How many requests a layered server has ended, by outcome, over all routes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Outcomes {
    pub(crate) completed: u64,
    pub(crate) error: u64,
    pub(crate) cancelled: u64,
}

impl Outcomes {
    pub(crate) fn of(metrics: &Metrics) -> Self {
        let ended = |outcome| {
            let labels = [("outcome", outcome)];
            metrics.sum("runtime_health_requests_total", &labels) as u64
        };
        Self {
            completed: ended("completed"),
            error: ended("error"),
            cancelled: ended("cancelled"),
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.completed + self.error + self.cancelled
    }
}

/// Waits until `requests` have ended and none is in flight; gives the page.
///
/// An end is counted when the server lets go of the request, which may be after
/// its client has got the answer.
#[track_caller]
pub(crate) fn settled(server: &Server, requests: u64) -> Metrics {
    let mut metrics = server.metrics();
    wait_for(DEADLINE, || {
        metrics = server.metrics();
        Outcomes::of(&metrics).total() >= requests
            && metrics.sum("runtime_health_requests_in_flight", &[]) == 0.0
    });
    metrics
}

/// Waits until as many requests have ended as expected, and checks how.
#[track_caller]
pub(crate) fn assert_outcomes(server: &Server, expected: Outcomes) {
    let metrics = settled(server, expected.total());
    assert_eq!(Outcomes::of(&metrics), expected);
}
