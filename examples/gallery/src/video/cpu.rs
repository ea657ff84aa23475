//! The queue in the process: bounded, in front of a rayon pool.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// The maximum of unfinished jobs; `push` refuses more.
const LIMIT: usize = 32;
/// The maximum of jobs whose state is kept; the oldest are removed first.
const REMEMBERED: usize = 1000;

pub struct CpuQueue {
    pool: ThreadPool,
    jobs: Arc<Jobs>,
}

#[derive(Default)]
struct Jobs(Mutex<States>);

#[derive(Default)]
struct States {
    last: u64,
    unfinished: usize,
    states: BTreeMap<u64, &'static str>,
}

impl Jobs {
    /// The lock is held only for single operations on the map.
    fn lock(&self) -> MutexGuard<'_, States> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, id: u64, state: &'static str) {
        self.lock().states.insert(id, state);
    }
}

impl CpuQueue {
    /// Starts a thread per processor, less one for the executor.
    pub fn start() -> io::Result<Self> {
        let processors = std::thread::available_parallelism()?.get();
        let pool = ThreadPoolBuilder::new()
            .num_threads(processors.saturating_sub(1).max(1))
            .thread_name(|_| "gallery-cpu".into())
            .build()
            .map_err(io::Error::other)?;
        let jobs = Arc::default();
        Ok(Self { pool, jobs })
    }

    /// Returns the job's id, or `None` if the queue is full.
    pub fn push(&self, work: Duration) -> Option<String> {
        let id = {
            let mut jobs = self.jobs.lock();
            if jobs.unfinished >= LIMIT {
                return None;
            }
            jobs.unfinished += 1;
            jobs.last += 1;
            let id = jobs.last;
            jobs.states.insert(id, "queued");
            if jobs.states.len() > REMEMBERED {
                jobs.states.pop_first();
            }
            id
        };
        let jobs = Arc::clone(&self.jobs);
        self.pool.spawn_fifo(move || {
            jobs.set(id, "running");
            super::encode(work);
            jobs.set(id, "done");
            jobs.lock().unfinished -= 1;
        });
        Some(id.to_string())
    }

    pub fn state(&self, id: &str) -> Option<&'static str> {
        self.jobs.lock().states.get(&id.parse().ok()?).copied()
    }
}
