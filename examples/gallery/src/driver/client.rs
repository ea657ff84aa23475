//! Sends the requests of a row, and `GET /hello` meanwhile.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, LOCATION};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::outcome::HelloLatency;
use crate::disk;
use crate::service::token;
use crate::table::Row;

/// Longer than any request of any row takes.
const DEADLINE: Duration = Duration::from_secs(60);
/// A handler that blocks delays this route, which does nothing itself.
const HELLO: &str = "/hello";

#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    app: SocketAddr,
}

pub struct Reply {
    pub status: StatusCode,
    pub body: String,
}

/// The error is the text of why there is no reply.
pub type Replied = Result<Reply, String>;

impl Client {
    pub fn new(app: SocketAddr) -> Self {
        // No connection is reused: each request opens its own.
        let http = reqwest::Client::builder()
            .timeout(DEADLINE)
            .pool_max_idle_per_host(0)
            .build()
            .unwrap_or_default();
        Self { http, app }
    }

    /// Sends this many requests of the row.
    pub async fn send(&self, row: &'static Row, requests: usize) -> Vec<Replied> {
        let one = |number| {
            let client = self.clone();
            async move {
                let reply = client.one(row, number).await;
                reply.map_err(|error| format!("{error:#}"))
            }
        };
        if row.at_once {
            let sent: JoinSet<Replied> = (0..requests).map(one).collect();
            return sent.join_all().await;
        }
        let mut replies = Vec::with_capacity(requests);
        for number in 0..requests {
            replies.push(one(number).await);
        }
        replies
    }

    async fn one(&self, row: &Row, number: usize) -> reqwest::Result<Reply> {
        let method = if row.method == "POST" {
            Method::POST
        } else {
            Method::GET
        };
        let request = self
            .http
            .request(method, self.url(&path(row.route, number)));
        let request = request.header(AUTHORIZATION, format!("Bearer {}", token()));
        let response = request.send().await?;
        let status = response.status();
        let location = response.headers().get(LOCATION);
        let location = location.and_then(|location| Some(location.to_str().ok()?.to_owned()));
        let body = response.text().await?;
        if let (StatusCode::ACCEPTED, Some(location)) = (status, location) {
            return self.follow(&location).await;
        }
        Ok(Reply { status, body })
    }

    /// Requests the state of a job until the job has ended.
    async fn follow(&self, location: &str) -> reqwest::Result<Reply> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let response = self.http.get(self.url(location)).send().await?;
            let status = response.status();
            let body = response.text().await?;
            let job: Value = serde_json::from_str(&body).unwrap_or_default();
            let is_unfinished = job["state"] == "queued" || job["state"] == "running";
            let status = match status {
                StatusCode::OK if job["state"] == "done" => StatusCode::ACCEPTED,
                StatusCode::OK => StatusCode::GATEWAY_TIMEOUT,
                other => other,
            };
            if !is_unfinished || Instant::now() > deadline {
                return Ok(Reply { status, body });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Sends `GET /hello` repeatedly, until [`HelloLoad::finish`].
    pub fn start_hello(&self) -> HelloLoad {
        let (stop, stopped) = watch::channel(());
        let mut tasks = JoinSet::new();
        for _ in 0..2 {
            let url = self.url(HELLO);
            let stopped = stopped.clone();
            tasks.spawn(async move {
                // This client keeps its connection, so that only the service's own time is measured.
                let http = reqwest::Client::new();
                let mut took = Vec::new();
                while !stopped.has_changed().unwrap_or(true) {
                    let started = Instant::now();
                    if let Ok(response) = http.get(&url).timeout(DEADLINE).send().await
                        && response.bytes().await.is_ok()
                    {
                        took.push(started.elapsed());
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                took
            });
        }
        HelloLoad { stop, tasks }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.app)
    }
}

pub struct HelloLoad {
    stop: watch::Sender<()>,
    tasks: JoinSet<Vec<Duration>>,
}

impl HelloLoad {
    pub async fn finish(self) -> HelloLatency {
        self.stop.send_replace(());
        let mut took = self.tasks.join_all().await.concat();
        took.sort_unstable();
        let at = |part: usize| {
            let index = (took.len() * part / 100).min(took.len().saturating_sub(1));
            millis(took.get(index).copied().unwrap_or_default())
        };
        HelloLatency {
            requests: took.len(),
            median_ms: at(50),
            p90_ms: at(90),
            longest_ms: at(100),
        }
    }
}

pub fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// Returns a path that matches the route's template.
fn path(template: &str, number: usize) -> String {
    let segment = |segment: &str| match segment {
        "{name}" => format!("report-{}", number % disk::FILES),
        other if other.starts_with('{') => number.to_string(),
        other => other.to_owned(),
    };
    let segments: Vec<String> = template.split('/').map(segment).collect();
    segments.join("/")
}
