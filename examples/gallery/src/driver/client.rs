//! The requests of a row, and those of somebody innocent beside them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, LOCATION};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::outcome::Innocent;
use crate::disk;
use crate::service::token;
use crate::table::Row;

/// No request of any row takes as long.
const DEADLINE: Duration = Duration::from_secs(60);
const INNOCENT: &str = "/hello";

#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    app: SocketAddr,
}

/// What came back.
pub struct Reply {
    pub status: StatusCode,
    pub body: String,
}

/// `Err`: why there is no reply.
pub type Replied = Result<Reply, String>;

impl Client {
    pub fn new(app: SocketAddr) -> Self {
        // Each request comes over a connection of its own.
        let http = reqwest::Client::builder()
            .timeout(DEADLINE)
            .pool_max_idle_per_host(0)
            .build()
            .unwrap_or_default();
        Self { http, app }
    }

    /// So many requests of this row.
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

    /// Asks for the state of a job until it has ended.
    async fn follow(&self, location: &str) -> reqwest::Result<Reply> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let response = self.http.get(self.url(location)).send().await?;
            let status = response.status();
            let body = response.text().await?;
            let job: Value = serde_json::from_str(&body).unwrap_or_default();
            let goes_on = job["state"] == "queued" || job["state"] == "running";
            let status = match status {
                StatusCode::OK if job["state"] == "done" => StatusCode::ACCEPTED,
                StatusCode::OK => StatusCode::GATEWAY_TIMEOUT,
                other => other,
            };
            if !goes_on || Instant::now() > deadline {
                return Ok(Reply { status, body });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asks for something short, again and again, until told to stop.
    pub fn ask_innocent(&self) -> Asking {
        let (stop, stopped) = watch::channel(());
        let mut tasks = JoinSet::new();
        for _ in 0..2 {
            let url = self.url(INNOCENT);
            let stopped = stopped.clone();
            tasks.spawn(async move {
                // It keeps its connection.
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
        Asking { stop, tasks }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.app)
    }
}

pub struct Asking {
    stop: watch::Sender<()>,
    tasks: JoinSet<Vec<Duration>>,
}

impl Asking {
    pub async fn finish(self) -> Innocent {
        self.stop.send_replace(());
        let mut took = self.tasks.join_all().await.concat();
        took.sort_unstable();
        let at = |part: usize| {
            let index = (took.len() * part / 100).min(took.len().saturating_sub(1));
            millis(took.get(index).copied().unwrap_or_default())
        };
        Innocent {
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

/// A path that the route's template fits.
fn path(template: &str, number: usize) -> String {
    let segment = |segment: &str| match segment {
        "{name}" => format!("report-{}", number % disk::FILES),
        other if other.starts_with('{') => number.to_string(),
        other => other.to_owned(),
    };
    let segments: Vec<String> = template.split('/').map(segment).collect();
    segments.join("/")
}
