//! Tries a row: sends its requests to the service over real sockets, watches what the
//! layer says meanwhile, and holds it against the table.
//!
//! On a thread and a runtime of its own, since the service's stand still when a row blocks
//! them. One row at a time.

mod client;
mod judge;
mod machine;
mod observe;
mod outcome;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tower_runtime_health::RuntimeHealth;

use crate::table::{Row, Verdict};
use client::Client;
pub use machine::hog;
use observe::Observed;
pub use observe::sum;
pub use outcome::{Found, Innocent, Outcome, PlaceSeen, Polls, Pool, Requests};

/// Where what is tried runs.
#[derive(Clone)]
pub struct Target {
    pub app: SocketAddr,
    pub health: RuntimeHealth,
    pub work: Duration,
}

/// Tries rows, one after the other.
#[derive(Clone)]
pub struct Driver(mpsc::Sender<Order>);

struct Order {
    row: &'static Row,
    requests: usize,
    answer: oneshot::Sender<Outcome>,
}

impl Driver {
    /// Its thread ends when the last clone is dropped.
    pub fn start(target: Target) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (sender, mut orders) = mpsc::channel::<Order>(32);
        std::thread::Builder::new()
            .name("gallery-driver".into())
            .spawn(move || {
                runtime.block_on(async {
                    while let Some(order) = orders.recv().await {
                        let outcome = try_row(&target, order.row, order.requests).await;
                        // Whoever asked may have gone away.
                        let _ = order.answer.send(outcome);
                    }
                });
            })?;
        Ok(Self(sender))
    }

    /// Waits until the rows asked for before have been tried. `None` if the driver ended.
    pub async fn try_row(&self, row: &'static Row) -> Option<Outcome> {
        self.try_with(row, row.requests).await
    }

    /// With another number of requests.
    pub async fn try_with(&self, row: &'static Row, requests: usize) -> Option<Outcome> {
        let (answer, outcome) = oneshot::channel();
        let order = Order {
            row,
            requests,
            answer,
        };
        self.0.send(order).await.ok()?;
        outcome.await.ok()
    }
}

async fn try_row(target: &Target, row: &'static Row, requests: usize) -> Outcome {
    let client = Client::new(target.app);
    let before = Observed::now(target);
    let watch = observe::Watch::start(target, row);
    let innocent = client.ask_innocent();

    let started = Instant::now();
    let replies = if row.verdict == Verdict::Preempted {
        machine::starve(target, row, &client, &before).await
    } else {
        client.send(row, requests).await
    };
    let wall = started.elapsed();

    let innocent = innocent.finish().await;
    let seen = watch.finish();
    let after = observe::settled(target, row).await;
    let mut outcome = outcome::describe(row, &replies, wall, innocent, &seen, &before, &after);
    judge::judge(&mut outcome, row, target.work);
    outcome
}
