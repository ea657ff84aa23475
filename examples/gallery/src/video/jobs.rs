//! The queue in Redis, and the worker process that runs its jobs.

use std::error::Error;
use std::time::Duration;

use apalis::prelude::*;
use apalis_redis::{Config, ConnectionManager, RedisStorage};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// How often the worker asks for a job and reports the state of the last one.
const HEARTBEAT: Duration = Duration::from_millis(100);
/// The number of missed heartbeats after which a worker counts as dead.
const MISSED: usize = 50;

/// A job on the queue.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Encode {
    millis: u64,
}

#[derive(Clone)]
pub struct JobQueue(RedisStorage<Encode, ConnectionManager>);

impl JobQueue {
    pub async fn connect(url: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let connection = apalis_redis::connect(url).await?;
        let config = Config::default()
            .queue("gallery")
            .heartbeat_interval(HEARTBEAT)
            .missed_heartbeats(MISSED);
        Ok(Self(RedisStorage::new(connection).with_config(config)))
    }

    /// Returns the job's id.
    pub async fn push(&self, work: Duration) -> Result<String, impl Error + use<>> {
        let id = Ulid::generate().to_string();
        let task = TaskBuilder::new(Encode {
            millis: work.as_millis() as u64,
        });
        let task = task.task_id(TaskId::from_string(&id)).build();
        self.0.clone().push_task(task).await.map(|()| id)
    }

    /// Returns the job's state, or `None` if there is no such job.
    pub async fn state(&self, id: &str) -> Result<Option<&'static str>, apalis_redis::Error> {
        let id = TaskId::from_string(id);
        let task = self.0.clone().fetch_by_id(&id).await?;
        Ok(task.map(|task| match task.status() {
            Status::Pending | Status::Queued => "queued",
            Status::Running => "running",
            Status::Done => "done",
            _ => "failed",
        }))
    }
}

/// Runs jobs until standard input closes, so that the process cannot outlive its parent.
pub async fn run_worker(url: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (mut stdin, mut sink) = (tokio::io::stdin(), tokio::io::sink());
    let mut ended = std::pin::pin!(tokio::io::copy(&mut stdin, &mut sink));
    for start in 0_u64.. {
        let JobQueue(storage) = JobQueue::connect(url).await?;
        let worker = WorkerBuilder::new(format!("gallery-{}-{start}", std::process::id()))
            .backend(storage)
            .build(encode);
        // The worker ends when a response from Redis takes too long.
        tokio::select! {
            result = worker.run() => eprintln!("gallery: restarting the worker, which ended with {result:?}"),
            _ = &mut ended => break,
        }
    }
    Ok(())
}

/// The worker's executor also sends heartbeats, so the computation runs on the pool.
async fn encode(job: Encode) -> Result<u64, BoxDynError> {
    let work = Duration::from_millis(job.millis);
    Ok(tokio::task::spawn_blocking(move || super::encode(work)).await?)
}
