//! The service: each row of the table is a route. Each subject has a file.
//!
//! The handlers are written as in real services, mistakes included.

mod audit;
mod child;
mod files;
mod in_place;
mod lookup;
mod me;
mod ping;
mod posts;
mod short;
mod slow;
mod stock;
mod streams;
mod users;
mod video;
mod weather;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_runtime_health::RuntimeHealthLayer;

pub use stock::Stock;

use crate::disk::Disk;
use crate::table::Needs;
use crate::video::{CpuQueue, JobQueue};

/// Few, so that a blocked worker delays other requests on any machine.
pub const WORKERS: usize = 2;
/// The limit of the blocking pool. tokio's default is 512.
pub const POOL: usize = 40;

/// The handlers' shared state.
pub type App = axum::extract::State<Arc<AppState>>;

pub struct AppState {
    /// How long slow work takes.
    pub work: Duration,
    /// The other service, which responds after `work`.
    pub upstream: SocketAddr,
    pub http: reqwest::Client,
    pub agent: ureq::Agent,
    /// Files that take `work` to read.
    pub disk: Disk,
    /// A host name that takes `work` to resolve.
    pub slow_name: &'static str,
    /// Runs computations outside the executor.
    pub cpu: CpuQueue,
    pub postgres: Option<String>,
    pub jobs: Option<JobQueue>,
    pub stock: Stock,
}

/// Returns a token for row 16's extractors.
pub fn token() -> String {
    let claims = me::Claims {
        sub: "gallery".to_owned(),
        admin: false,
    };
    claims.to_token()
}

/// Why a handler failed.
pub enum AppError {
    /// A server that the row needs is not configured: 503, with how to start it.
    Missing(Needs),
    /// Another service or the system returned an error: 502.
    Upstream(String),
    /// The queue is full: 503, with `retry-after`.
    Full,
}

pub type Result<T> = std::result::Result<T, AppError>;

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        match self {
            Self::Missing(needs) => (StatusCode::SERVICE_UNAVAILABLE, needs.hint()).into_response(),
            Self::Upstream(error) => {
                (StatusCode::BAD_GATEWAY, format!("{error}\n")).into_response()
            }
            Self::Full => {
                let later = [("retry-after", "1")];
                let text = "the queue is full; try again later\n";
                (StatusCode::SERVICE_UNAVAILABLE, later, text).into_response()
            }
        }
    }
}

impl<E: std::error::Error> From<E> for AppError {
    fn from(error: E) -> Self {
        Self::Upstream(crate::with_sources(&error))
    }
}

/// Returns all routes of the table, with the layer on.
pub fn router(state: Arc<AppState>, layer: RuntimeHealthLayer) -> Router {
    Router::new()
        .route("/hello", get(|| async { "hello\n" }))
        .route("/ping/terrible", get(ping::terrible))
        .route("/ping/good", get(ping::good))
        .route("/ping/perfect", get(ping::perfect))
        .route("/users/sync/{id}", get(users::sync))
        .route("/users/async/{id}", get(users::awaited))
        .route("/users/pool/{id}", get(users::pool))
        .route("/video/inline", post(video::inline))
        .route("/video/queued", post(video::queued))
        .route("/video/jobs", post(video::jobs))
        .route("/jobs/{id}", get(video::state))
        .route("/posts/sync", get(posts::sync))
        .route("/posts/async", get(posts::awaited))
        .route("/posts/pool", get(posts::pool))
        .route("/file/sync/{name}", get(files::sync))
        .route("/file/async/{name}", get(files::awaited))
        .route("/weather/sync/{city}", get(weather::sync))
        .route("/weather/async/{city}", get(weather::awaited))
        .route("/weather/pool/{city}", get(weather::pool))
        .route("/slow", get(slow::pool))
        .route("/slow/async", get(slow::awaited))
        .route("/me/pool", get(me::pool))
        .route("/me/inline", get(me::inline))
        .route("/stock/held", get(stock::held))
        .route("/stock/swapped", get(stock::swapped))
        .route("/thumbnail/sync", get(child::sync))
        .route("/thumbnail/async", get(child::awaited))
        .route("/lookup/sync", get(lookup::sync))
        .route("/lookup/async", get(lookup::awaited))
        .route("/in-place", get(in_place::sleeps))
        .route("/short", get(short::handler))
        .route("/report", get(streams::report))
        .route("/frames", get(streams::frames))
        .route("/export/sync", get(streams::slow_body))
        .route("/export/async", get(streams::awaiting_body))
        .route(
            "/audit/async",
            get(audit::handler).layer(audit::awaited(&state)),
        )
        .layer(layer.clone())
        // Inside `Router::layer`, axum runs `call` when the response future is polled. Around a
        // whole service, as here, the layer sees `call` itself.
        .route_service("/audit/sync", audit::sync(&state, layer))
        .with_state(state)
}
