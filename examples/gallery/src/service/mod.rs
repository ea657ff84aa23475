//! The service: every row of the table as a route, one file for a subject.
//!
//! The handlers are written as people write them; read them beside the page.

mod audit;
mod child;
mod files;
mod in_place;
mod innocent;
mod lookup;
mod me;
mod ping;
mod posts;
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

/// Few, so that what a blocked worker does is seen on any machine.
pub const WORKERS: usize = 2;
/// The limit of the blocking pool. tokio's default is 512.
pub const POOL: usize = 40;

/// What the handlers share.
pub type App = axum::extract::State<Arc<Parts>>;

pub struct Parts {
    /// How long slow work takes; what a row does five times takes five times as long.
    pub work: Duration,
    /// The other service, which takes `work` for an answer.
    pub upstream: SocketAddr,
    pub http: reqwest::Client,
    pub agent: ureq::Agent,
    /// Files that take `work` to read.
    pub disk: Disk,
    /// A host name that takes `work` to resolve.
    pub slow_name: &'static str,
    /// Computation, off the executor.
    pub cpu: CpuQueue,
    pub postgres: Option<String>,
    pub jobs: Option<JobQueue>,
    pub stock: Stock,
}

/// A token that row 16's extractors decode.
pub fn token() -> String {
    let claims = me::Claims {
        sub: "gallery".to_owned(),
        admin: false,
    };
    claims.to_token()
}

/// Why a handler of the gallery has no answer.
pub enum Failed {
    /// What it needs does not run: 503 with a line that says how to start it.
    Missing(Needs),
    /// Whoever was asked did not answer well: 502.
    Upstream(String),
    /// A queue is full: 503, later again.
    Full,
}

/// Answers of handlers that may fail.
pub type Result<T> = std::result::Result<T, Failed>;

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        match self {
            Self::Missing(needs) => (StatusCode::SERVICE_UNAVAILABLE, needs.hint()).into_response(),
            Self::Upstream(error) => {
                (StatusCode::BAD_GATEWAY, format!("{error}\n")).into_response()
            }
            Self::Full => {
                let later = [("retry-after", "1")];
                let text = "the queue is full: ask again later\n";
                (StatusCode::SERVICE_UNAVAILABLE, later, text).into_response()
            }
        }
    }
}

impl<E: std::error::Error> From<E> for Failed {
    fn from(error: E) -> Self {
        use std::fmt::Write;
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let _ = write!(text, ": {cause}");
            source = cause.source();
        }
        Self::Upstream(text)
    }
}

/// All routes of the table, with the layer on.
pub fn router(parts: Arc<Parts>, layer: RuntimeHealthLayer) -> Router {
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
        .route("/innocent", get(innocent::short))
        .route("/report", get(streams::report))
        .route("/frames", get(streams::frames))
        .route("/export/sync", get(streams::slow_body))
        .route("/export/async", get(streams::awaiting_body))
        .route(
            "/audit/async",
            get(audit::handler).layer(audit::awaited(&parts)),
        )
        .layer(layer.clone())
        // `Router::layer` calls what it wraps when its own future is polled. Around the
        // whole service, as here, the layer sees the call itself.
        .route_service("/audit/sync", audit::sync(&parts, layer))
        .with_state(parts)
}
