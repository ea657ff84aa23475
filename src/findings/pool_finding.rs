use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::capture::{Confidence, Frame, Place};
use crate::model::Cause;

closed_set! {
    /// The kind of a [`PoolFinding`].
    #[non_exhaustive]
    pub enum PoolFindingKind {
        /// Every thread that the pool may have is busy, and tasks are queued. With
        /// `tokio_unstable` any queued task counts. On stable tokio a task of this crate's
        /// `spawn_blocking` counts, or a probe, which queues like any other task.
        Saturated = "saturated",
        /// One task has occupied a thread for longer than
        /// [`Builder::long_blocking_task`](crate::Builder::long_blocking_task).
        LongTask = "long_task",
    }
}

/// A finding on the blocking pool of one runtime: a period of saturation with the tasks that
/// held its threads, or a task that does not end.
///
/// Figures are those of the last sample while the condition lasted. `Display` writes a summary
/// for people: several lines, without a newline at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolFinding {
    /// What was found.
    pub kind: PoolFindingKind,
    /// The runtime, as in the label `runtime`.
    pub runtime: Arc<str>,
    /// When it began.
    pub since: SystemTime,
    /// How long it has lasted.
    pub lasted: Duration,
    /// Whether it has ended.
    pub is_over: bool,
    /// How many threads the pool may have.
    pub limit: u64,
    /// How many threads the pool has. The help text of the metric `blocking_threads` says how
    /// exact that is.
    pub threads: Option<u64>,
    /// How many wrapped tasks are running.
    pub running: u64,
    /// How many threads are busy with anything else: `tokio::fs`, name lookups, tasks of
    /// tokio's own `spawn_blocking`. `None` if it is unknown which threads are idle.
    pub not_wrapped: Option<u64>,
    /// How many tasks are queued: with `tokio_unstable` all of them, otherwise the wrapped
    /// ones.
    pub queued: u64,
    /// The most tasks that were queued at once.
    pub most_queued: u64,
    /// The longest time that a task has been queued during this finding. Covers wrapped tasks
    /// and the probe.
    pub longest_wait: Duration,
    /// How long the pool has made no progress: no task began or ended, every thread is in a
    /// wait without a time limit, and the probe is not answered. `None` below
    /// [`Builder::pool_stuck_after`](crate::Builder::pool_stuck_after).
    pub no_progress: Option<Duration>,
    /// Whether the stacks show that pool tasks wait for pool tasks that are queued for a
    /// thread. A deadlock does not resolve by itself.
    pub is_deadlock: bool,
    /// The routes and call sites that hold the threads, the most threads first. Wrapped tasks
    /// only.
    pub holders: Vec<PoolHolder>,
    /// What the oldest running task of some routes and call sites is doing. While the pool
    /// makes no progress, some of the oldest running tasks, whatever their call sites.
    pub examples: Vec<PoolExample>,
}

/// Wrapped tasks of one route and call site that are running.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolHolder {
    /// The route, as in the label `route`.
    pub route: Arc<str>,
    /// Where `spawn_blocking` is called: `src/users.rs:42`.
    pub site: Arc<str>,
    /// How many threads these tasks hold.
    pub tasks: u64,
    /// How long the oldest of them has been running.
    pub oldest: Duration,
}

/// What one pool task was doing when it was inspected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolExample {
    /// The route, as in the label `route`.
    pub route: Arc<str>,
    /// Where `spawn_blocking` is called.
    pub site: Arc<str>,
    /// How long it had been running.
    pub age: Duration,
    /// Why it took long at that moment.
    pub cause: Cause,
    /// The system call it was blocked in, with what its descriptor refers to.
    pub call: Option<Arc<str>>,
    /// The line of the service's own code. `None` without a proven stack.
    pub place: Option<Place>,
    /// How certain `stack` is. `None` without a stack.
    pub confidence: Option<Confidence>,
    /// Its stack, innermost frame first.
    pub stack: Arc<[Frame]>,
}

impl PoolFinding {
    /// `pool` is the name of its runtime and its limit, if it is known which pool it is.
    pub(crate) fn new(
        kind: PoolFindingKind,
        pool: Option<(&Arc<str>, u64)>,
        since: SystemTime,
    ) -> Self {
        Self {
            kind,
            runtime: pool.map_or_else(|| "".into(), |(name, _)| Arc::clone(name)),
            since,
            lasted: Duration::ZERO,
            is_over: false,
            limit: pool.map_or(0, |(_, limit)| limit),
            threads: None,
            running: 0,
            not_wrapped: None,
            queued: 0,
            most_queued: 0,
            longest_wait: Duration::ZERO,
            no_progress: None,
            is_deadlock: false,
            holders: Vec::new(),
            examples: Vec::new(),
        }
    }

    /// Returns what to do about it, as one sentence.
    pub fn advice(&self) -> &'static str {
        match self.kind {
            PoolFindingKind::LongTask => {
                "run long-lived work on its own thread (std::thread) or in a job queue: here it occupies a thread that other tasks need, and the runtime waits for it at shutdown"
            }
            PoolFindingKind::Saturated if self.is_deadlock => {
                "never wait for a pool task inside a pool task (Handle::block_on of a JoinHandle): await both from async code, or call the inner work as a plain function; this does not resolve by itself"
            }
            PoolFindingKind::Saturated if self.no_progress.is_some() => {
                "find out what the threads wait for and add a timeout; an external service that does not answer and tasks that wait for each other look the same"
            }
            PoolFindingKind::Saturated => {
                "use an async client or driver if these tasks wait, a job queue or a pool sized to the cores if they compute; raising max_blocking_threads is only a stopgap"
            }
        }
    }
}

impl fmt::Display for PoolFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runtime, limit, .. } = self;
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        let lasted = millis(self.lasted);
        let state = if self.is_over { "lasted" } else { "for" };
        match self.kind {
            PoolFindingKind::Saturated => write!(
                f,
                "the blocking pool of runtime {runtime} is saturated ({state} {lasted:.0} ms): limit {limit}, {} wrapped tasks \
                 running, {} queued (at most {}), longest wait {:.0} ms",
                self.running,
                self.queued,
                self.most_queued,
                millis(self.longest_wait),
            )?,
            PoolFindingKind::LongTask => write!(
                f,
                "a task has held a thread of the blocking pool of runtime {runtime} ({state} {lasted:.0} ms)"
            )?,
        }
        if let Some(time) = self.no_progress {
            let what = if self.is_deadlock {
                "nested-pool deadlock"
            } else {
                "no progress"
            };
            write!(f, "\n  {what} for {:.1} s", time.as_secs_f64())?;
        }
        if !self.holders.is_empty() {
            write!(f, "\n  held by {}", Holders(self))?;
        }
        for example in &self.examples {
            write!(f, "\n  e.g. {example}")?;
        }
        write!(f, "\n  fix  {}", self.advice())
    }
}

/// Writes `/slow at src/slow.rs:7: 40 of 40 threads, oldest 120 ms; not wrapped: 3`.
pub(super) struct Holders<'f>(pub(super) &'f PoolFinding);

impl fmt::Display for Holders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 5;
        for (index, holder) in self.0.holders.iter().take(MOST).enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(
                f,
                "{} at {}: {} of {} threads, oldest {} ms",
                holder.route,
                holder.site,
                holder.tasks,
                self.0.limit,
                holder.oldest.as_millis()
            )?;
        }
        if self.0.holders.len() > MOST {
            write!(f, "; {} more", self.0.holders.len() - MOST)?;
        }
        if let Some(others) = self.0.not_wrapped.filter(|others| *others > 0) {
            write!(f, "; not wrapped: {others}")?;
        }
        Ok(())
    }
}

impl fmt::Display for PoolExample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} after {} ms: {}",
            self.route,
            self.age.as_millis(),
            self.cause
        )?;
        if let Some(place) = &self.place {
            write!(f, " at {place}")?;
        }
        if let Some(call) = &self.call {
            write!(f, " on {call}")?;
        }
        Ok(())
    }
}
