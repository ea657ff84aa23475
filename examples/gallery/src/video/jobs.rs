//! The queue on Redis, and the process that works it off.

use std::error::Error;
use std::time::Duration;

use apalis::prelude::*;
use apalis_redis::{Config, ConnectionManager, RedisStorage};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// How often the worker looks for a job and says what became of the last.
const HEARTBEAT: Duration = Duration::from_millis(100);
/// A worker that has missed so many is taken for dead.
const MISSED: usize = 50;

/// What is on the queue.
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

    /// The job's id.
    pub async fn push(&self, work: Duration) -> Result<String, impl Error + use<>> {
        let id = Ulid::generate().to_string();
        let task = TaskBuilder::new(Encode {
            millis: work.as_millis() as u64,
        });
        let task = task.task_id(TaskId::from_string(&id)).build();
        self.0.clone().push_task(task).await.map(|()| id)
    }

    /// The job's state, if there is such a job.
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

/// Works the queue off until standard input ends: a process of its own, which ends with
/// the one that started it.
pub async fn work_off(url: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (mut stdin, mut nowhere) = (tokio::io::stdin(), tokio::io::sink());
    let mut ended = std::pin::pin!(tokio::io::copy(&mut stdin, &mut nowhere));
    for start in 0_u64.. {
        let JobQueue(storage) = JobQueue::connect(url).await?;
        let worker = WorkerBuilder::new(format!("gallery-{}-{start}", std::process::id()))
            .backend(storage)
            .build(encode);
        // It ends when Redis took too long for an answer.
        tokio::select! {
            result = worker.run() => eprintln!("gallery: the worker starts again: {result:?}"),
            _ = &mut ended => break,
        }
    }
    Ok(())
}

/// In a worker process the executor has other work, too: the computation is not its.
async fn encode(job: Encode) -> Result<u64, BoxDynError> {
    let work = Duration::from_millis(job.millis);
    Ok(tokio::task::spawn_blocking(move || super::encode(work)).await?)
}
