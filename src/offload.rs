//! Runs jobs that need the service's own descriptor table, on a thread that has it.
//!
//! The watchdog and the pool monitor have descriptor tables of their own. There, the
//! descriptor of a subscriber's log file or of a runtime's waker is invalid or, worse,
//! refers to another file. A slow subscriber must not delay the watchdog either.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use crate::capture::{CaptureMode, SocketEnds};
use crate::error::{Error, Kind};
use crate::findings::{Event, PoolFinding, Transition, log_pool_event, log_start};
use crate::state::State;

const NAME: &str = "health-offload";

/// How many jobs may be queued. Further ones are dropped.
const MAX_QUEUED: usize = 256;

#[derive(Debug)]
enum Job {
    /// Log that the watchdog has started, and how it reads threads.
    LogStart(CaptureMode),
    LogEvent(Event),
    LogPoolEvent(Box<PoolFinding>, Transition),
    /// Send each runtime a scheduler-lag probe.
    ProbeRuntimes,
    /// Send each pool the probe that was requested for it.
    ProbePools,
    /// Describe a socket, by descriptor and inode.
    DescribeSocket(i32, u64, SyncSender<Option<SocketEnds>>),
}

/// Sends jobs to the offload thread. The thread ends, and releases the [`State`], when the last
/// `Offload` is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Offload(SyncSender<Job>);

impl Offload {
    pub(crate) fn start(state: Arc<State>) -> Result<Self, Error> {
        let (jobs, queue) = sync_channel(MAX_QUEUED);
        std::thread::Builder::new()
            .name(NAME.into())
            .spawn(move || run(&state, &queue))
            .map_err(|source| Kind::Thread { name: NAME, source })?;
        Ok(Self(jobs))
    }

    pub(crate) fn log_start(&self, mode: CaptureMode) {
        self.send(Job::LogStart(mode));
    }

    /// Logs an event of a finding. Returns false if too many jobs are queued. The caller then
    /// counts the event as dropped.
    #[must_use]
    pub(crate) fn log_event(&self, event: Event) -> bool {
        self.send(Job::LogEvent(event))
    }

    /// Logs an event of a pool finding. Returns false like [`log_event`](Self::log_event).
    #[must_use]
    pub(crate) fn log_pool_event(&self, finding: &PoolFinding, transition: Transition) -> bool {
        self.send(Job::LogPoolEvent(Box::new(finding.clone()), transition))
    }

    /// Sends each runtime a probe. If the job is dropped, the caller requests it again at its next
    /// interval.
    pub(crate) fn probe_runtimes(&self) {
        self.send(Job::ProbeRuntimes);
    }

    /// Sends the requested pool probes. A dropped job is requested again like
    /// [`probe_runtimes`](Self::probe_runtimes).
    pub(crate) fn probe_pools(&self) {
        self.send(Job::ProbePools);
    }

    /// Describes a socket of the service. Returns `None` if the thread is busy.
    pub(crate) fn describe_socket(&self, descriptor: i32, inode: u64) -> Option<SocketEnds> {
        const TIMEOUT: Duration = Duration::from_millis(2);
        let (answer, received) = sync_channel(1);
        let job = Job::DescribeSocket(descriptor, inode, answer);
        let is_queued = self.send(job);
        is_queued.then(|| received.recv_timeout(TIMEOUT).ok())??
    }

    fn send(&self, job: Job) -> bool {
        self.0.try_send(job).is_ok()
    }
}

fn run(state: &State, queue: &Receiver<Job>) {
    for job in queue {
        // False if a subscriber panicked.
        let is_done = match job {
            Job::LogStart(mode) => log_start(mode, state.options.threshold),
            Job::LogEvent(event) => event.log(),
            Job::LogPoolEvent(finding, transition) => log_pool_event(&finding, transition),
            Job::ProbeRuntimes => {
                state.probe_runtimes();
                true
            }
            Job::ProbePools => {
                state.runtimes.probe_pools(state.clock());
                true
            }
            Job::DescribeSocket(descriptor, inode, answer) => {
                let _ = answer.send(crate::capture::describe_socket(descriptor, inode));
                true
            }
        };
        if !is_done {
            state.findings.count_dropped(1);
        }
    }
}
