//! Tries a row: sends its requests to the service over real sockets, collects what the layer
//! reports meanwhile, and compares it with the table.
//!
//! The driver has a thread and a runtime of its own, because the service's runtime stops when
//! a row blocks it. It tries one row at a time.

mod check;
mod client;
mod describe;
mod load;
mod observe;
mod outcome;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tower_runtime_health::RuntimeHealth;

use crate::table::{Row, Verdict};
use client::Client;
pub use load::keep_busy;
use observe::Observed;
pub use observe::sum;
pub use outcome::{HelloLatency, Outcome, Polls, Pool, ReportedFinding, ReportedPlace, Requests};

/// The running service.
#[derive(Clone)]
pub struct Target {
    pub app: SocketAddr,
    pub health: RuntimeHealth,
    pub work: Duration,
}

/// A handle to the driver's thread.
#[derive(Clone)]
pub struct Driver(mpsc::Sender<Trial>);

struct Trial {
    row: &'static Row,
    requests: usize,
    result: oneshot::Sender<Outcome>,
}

impl Driver {
    /// Starts the thread. It ends when the last clone is dropped.
    pub fn start(target: Target) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (sender, mut trials) = mpsc::channel::<Trial>(32);
        std::thread::Builder::new()
            .name("gallery-driver".into())
            .spawn(move || {
                runtime.block_on(async {
                    while let Some(trial) = trials.recv().await {
                        let outcome = try_row(&target, trial.row, trial.requests).await;
                        // The receiver is gone if the browser closed the connection.
                        let _ = trial.result.send(outcome);
                    }
                });
            })?;
        Ok(Self(sender))
    }

    /// Tries a row, after all rows requested earlier. Returns `None` if the driver has ended.
    pub async fn try_row(&self, row: &'static Row) -> Option<Outcome> {
        self.try_with(row, row.requests).await
    }

    /// Like [`Driver::try_row`], with another number of requests.
    pub async fn try_with(&self, row: &'static Row, requests: usize) -> Option<Outcome> {
        let (result, outcome) = oneshot::channel();
        let trial = Trial {
            row,
            requests,
            result,
        };
        self.0.send(trial).await.ok()?;
        outcome.await.ok()
    }
}

async fn try_row(target: &Target, row: &'static Row, requests: usize) -> Outcome {
    let client = Client::new(target.app);
    let before = Observed::now(target);
    let watch = observe::Watch::start(target, row);
    let hello = client.start_hello();

    let started = Instant::now();
    let replies = if row.verdict == Verdict::Preempted {
        load::send_under_load(target, row, &client, &before).await
    } else {
        client.send(row, requests).await
    };
    let wall = started.elapsed();

    let hello = hello.finish().await;
    let peaks = watch.finish();
    let after = observe::settled(target, row).await;
    let mut outcome = describe::describe(row, &replies, wall, hello, &peaks, &before, &after);
    check::check(&mut outcome, row, target.work);
    outcome
}
