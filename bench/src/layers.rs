//! Every middleware in the comparison, added to an axum router as its documentation says.
//!
//! Several of them have process-wide state (a metrics recorder, a subscriber, a
//! profiler), so a process has only one of them.

use std::any::Any;
use std::borrow::Cow;
use std::convert::Infallible;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum_prometheus::PrometheusMetricLayer;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry::global;
use opentelemetry_instrumentation_tower::http::server;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use tower::{Layer, Service};
use tower_http::metrics::InFlightRequestsLayer;
use tower_http::trace::{DefaultMakeSpan, DefaultOnResponse, TraceLayer};
use tower_runtime_health::{RequestHead, RuntimeHealth};
use tracing::Level;

/// A middleware and the way it is added to the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Middleware {
    /// The router without a middleware.
    Bare,
    /// A middleware that only calls the inner service, added by `Router::layer`.
    Nothing,
    /// Our layer with default options, added by `Router::layer`.
    Ours,
    /// Our layer around the whole router; a function names the route.
    OursAround,
    /// axum-prometheus: request durations and totals through its Prometheus recorder.
    AxumPrometheus,
    /// tower-http's counter of requests in flight: two atomic operations.
    InFlight,
    /// tower-http's `TraceLayer` without a subscriber.
    Trace,
    /// The same with its events at INFO, and a subscriber that formats them and
    /// discards the text.
    TraceInfo,
    /// Metrics by OpenTelemetry's semantic conventions, read by its Prometheus
    /// exporter; no spans.
    OpenTelemetry,
    /// hotpath's layer, enabled, with its workers running.
    Hotpath,
}

impl Middleware {
    pub const ALL: [Self; 10] = [
        Self::Bare,
        Self::Nothing,
        Self::Ours,
        Self::OursAround,
        Self::AxumPrometheus,
        Self::InFlight,
        Self::Trace,
        Self::TraceInfo,
        Self::OpenTelemetry,
        Self::Hotpath,
    ];

    /// Returns the name in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Nothing => "a layer that does nothing",
            Self::Ours => "ours, by Router::layer",
            Self::OursAround => "ours, around the router",
            Self::AxumPrometheus => "axum-prometheus",
            Self::InFlight => "tower-http in-flight",
            Self::Trace => "tower-http trace, no subscriber",
            Self::TraceInfo => "tower-http trace, INFO",
            Self::OpenTelemetry => "opentelemetry",
            Self::Hotpath => "hotpath",
        }
    }

    /// Returns one word for a command line.
    pub fn key(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Nothing => "nothing",
            Self::Ours => "ours",
            Self::OursAround => "ours-around",
            Self::AxumPrometheus => "axum-prometheus",
            Self::InFlight => "in-flight",
            Self::Trace => "trace",
            Self::TraceInfo => "trace-info",
            Self::OpenTelemetry => "opentelemetry",
            Self::Hotpath => "hotpath",
        }
    }

    /// Returns the middleware with that key.
    pub fn by_key(key: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|middleware| middleware.key() == key)
    }

    /// Returns whether it records a request that has ended.
    pub fn records(self) -> bool {
        matches!(
            self,
            Self::Ours
                | Self::OursAround
                | Self::AxumPrometheus
                | Self::TraceInfo
                | Self::OpenTelemetry
                | Self::Hotpath
        )
    }

    /// Adds it to the router and passes the service to the visitor. Has to be called
    /// inside a runtime, once a process.
    ///
    /// # Panics
    ///
    /// If the process already has a middleware with process-wide state.
    pub fn on<V: Visitor>(self, router: Router, visitor: V) -> V::Output {
        match self {
            Self::Bare => visitor.visit(router, Kept::nothing()),
            Self::Nothing => visitor.visit(router.layer(DoNothingLayer), Kept::nothing()),
            Self::Ours => {
                let health = RuntimeHealth::builder().start().expect("valid options");
                visitor.visit(router.layer(health.layer()), Kept::ours(health))
            }
            Self::OursAround => {
                let health = RuntimeHealth::builder().start().expect("valid options");
                let service = health.layer().route_by(route).layer(router);
                visitor.visit(service, Kept::ours(health))
            }
            Self::AxumPrometheus => {
                let (layer, exporter) = PrometheusMetricLayer::pair();
                let page = move || exporter.render();
                let kept = Kept::page("axum_http_requests_total", page);
                visitor.visit(router.layer(layer), kept)
            }
            Self::InFlight => {
                let (layer, counter) = InFlightRequestsLayer::pair();
                visitor.visit(router.layer(layer), Kept::alive(counter))
            }
            Self::Trace => visitor.visit(router.layer(TraceLayer::new_for_http()), Kept::nothing()),
            Self::TraceInfo => {
                tracing_subscriber::fmt()
                    .with_max_level(Level::INFO)
                    .with_writer(std::io::sink)
                    .init();
                let layer = TraceLayer::new_for_http()
                    .make_span_with(DefaultMakeSpan::new().level(Level::INFO))
                    .on_response(DefaultOnResponse::new().level(Level::INFO));
                visitor.visit(router.layer(layer), Kept::nothing())
            }
            Self::OpenTelemetry => {
                let registry = prometheus::Registry::new();
                let reader = opentelemetry_prometheus::exporter()
                    .with_registry(registry.clone())
                    .build()
                    .expect("the registry is empty");
                let provider = SdkMeterProvider::builder().with_reader(reader).build();
                global::set_meter_provider(provider);
                let layer = server::LayerBuilder::builder().with_tracing(false).build();
                let layer = layer.expect("valid options");
                let page = move || {
                    prometheus::TextEncoder::new()
                        .encode_to_string(&registry.gather())
                        .expect("the metrics are valid")
                };
                let kept = Kept::page("http_server_request_duration_seconds_count", page);
                visitor.visit(router.layer(layer), kept)
            }
            Self::Hotpath => {
                let guard = hotpath::HotpathGuardBuilder::new("bench")
                    .format(hotpath::Format::None)
                    .build();
                let layer = hotpath::AxumLayer::new();
                visitor.visit(router.layer(layer), Kept::alive(guard))
            }
        }
    }
}

/// Uses the service. It is generic, so that no box is added to what is measured.
pub trait Visitor {
    type Output;

    fn visit<S, B>(self, service: S, kept: Kept) -> Self::Output
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
            + 'static;
}

type Recorded = Box<dyn Fn() -> u64 + Send>;

/// What has to live as long as the service, and the count of recorded requests.
pub struct Kept {
    #[expect(dead_code, reason = "ends something when dropped")]
    alive: Box<dyn Any + Send>,
    recorded: Option<Recorded>,
}

impl Kept {
    fn nothing() -> Self {
        Self::alive(())
    }

    fn alive(what: impl Any + Send) -> Self {
        Self {
            alive: Box::new(what),
            recorded: None,
        }
    }

    fn page(metric: &'static str, page: impl Fn() -> String + Send + 'static) -> Self {
        Self {
            alive: Box::new(()),
            recorded: Some(Box::new(move || sum(&page(), metric, ""))),
        }
    }

    fn ours(health: RuntimeHealth) -> Self {
        Self::page("runtime_health_requests_total", move || health.render())
    }

    /// Returns the requests that the middleware has counted; `None` if it counts none.
    pub fn recorded(&self) -> Option<u64> {
        self.recorded.as_ref().map(|recorded| recorded())
    }
}

/// Returns the route where no router names it, as a user's function would: not the raw
/// path.
pub fn route<'r>(head: RequestHead<'r>) -> Option<Cow<'r, str>> {
    head.uri()
        .path()
        .starts_with("/users/")
        .then_some(Cow::Borrowed("/users/{id}"))
}

/// Returns the sum of all series of a metric in Prometheus' text format whose labels
/// contain `label`.
pub fn sum(text: &str, metric: &str, label: &str) -> u64 {
    text.lines()
        .filter_map(|line| {
            let (labels, value) = line.strip_prefix(metric)?.rsplit_once(' ')?;
            let ours = labels.starts_with('{') && labels.contains(label);
            ours.then(|| value.parse::<f64>().ok()).flatten()
        })
        .sum::<f64>() as u64
}

/// Costs what every tower layer costs an axum router: one more box and one more call.
#[derive(Clone)]
pub struct DoNothingLayer;

#[derive(Clone)]
pub struct DoNothing<S>(S);

impl<S> Layer<S> for DoNothingLayer {
    type Service = DoNothing<S>;

    fn layer(&self, inner: S) -> DoNothing<S> {
        DoNothing(inner)
    }
}

impl<S, R> Service<R> for DoNothing<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.0.call(request)
    }
}
