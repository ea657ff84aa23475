//! Lets the pool monitor request the inspection of a thread. The watchdog serves the request,
//! because it alone has a [`Capturer`].

use std::fmt;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::capture::{Capturer, Effort, PendingStack, RunState, Stack};
use crate::findings::{Evidence, StateCounts, classify};
use crate::model::Cause;
use crate::slot::StackAnchor;
use crate::sync::{AtomicBool, Ordering, Parker, lock};

/// Requests that the watchdog serves at the end of its next round.
#[derive(Debug)]
pub(crate) struct InspectQueue {
    requests: Mutex<Vec<PendingRequest>>,
    /// Publishes nothing but itself; the requests are behind their lock.
    has_requests: AtomicBool,
}

/// Asks for the inspection of a thread that runs a pool task.
pub(crate) struct InspectRequest {
    pub(crate) thread: i32,
    /// The frame that runs the task.
    pub(crate) anchor: StackAnchor,
    /// Whether the thread still runs that task.
    pub(crate) is_same_task: Box<dyn Fn() -> bool + Send>,
}

struct PendingRequest {
    request: InspectRequest,
    answer: SyncSender<Inspection>,
}

impl fmt::Debug for PendingRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingRequest").finish_non_exhaustive()
    }
}

/// What a thread was doing when it was inspected.
#[derive(Debug)]
pub(crate) struct Inspection {
    counts: StateCounts,
    /// A description of the system call it was blocked in.
    pub(crate) call: Option<Arc<str>>,
    pub(crate) stack: Option<Arc<Stack>>,
    /// The stack, while its functions are being named.
    pending: Option<PendingStack>,
}

impl Inspection {
    /// Waits at most `timeout` until the stack's functions are named, and takes the stack.
    /// Returns whether no further names are expected.
    pub(crate) fn complete(&mut self, timeout: Duration) -> bool {
        let named = self.pending.as_mut().map(|pending| pending.wait(timeout));
        match named {
            None => true,
            Some(None) => false,
            Some(Some(stack)) => {
                self.stack = stack.ok();
                self.pending = None;
                true
            }
        }
    }

    pub(crate) fn cause(&self) -> Cause {
        if self.counts.running > 0 {
            return Cause::Cpu;
        }
        let hints = self.stack.as_deref().map(Stack::hints).unwrap_or_default();
        classify(&Evidence {
            counts: self.counts,
            in_name_lookup: hints.in_name_lookup,
            ..Evidence::default()
        })
    }
}

impl Default for InspectQueue {
    fn default() -> Self {
        Self {
            requests: Mutex::default(),
            has_requests: AtomicBool::new(false),
        }
    }
}

impl InspectQueue {
    /// Has the watchdog inspect a thread, and waits for the result. That usually takes one tick
    /// of the watchdog, and longer where CPU is contended.
    pub(crate) fn inspect(&self, watchdog: &Parker, request: InspectRequest) -> Option<Inspection> {
        const TIMEOUT: Duration = Duration::from_millis(200);
        let (answer, received) = sync_channel(1);
        lock(&self.requests).push(PendingRequest { request, answer });
        self.has_requests.store(true, Ordering::Release);
        watchdog.unpark();
        received.recv_timeout(TIMEOUT).ok()
    }

    /// Serves all requests. Called by the watchdog only.
    pub(crate) fn serve(&self, capturer: &mut Capturer) {
        if !self.has_requests.swap(false, Ordering::Acquire) {
            return;
        }
        let requests = std::mem::take(&mut *lock(&self.requests));
        for PendingRequest { request, answer } in requests {
            if let Some(inspection) = inspect_thread(capturer, &request) {
                // Fails if the pool monitor no longer waits.
                let _ = answer.try_send(inspection);
            }
        }
    }
}

fn inspect_thread(capturer: &mut Capturer, request: &InspectRequest) -> Option<Inspection> {
    let thread = capturer.open_thread(request.thread);
    let state = capturer.state(&thread);
    let mut counts = StateCounts::default();
    let mut call = None;
    match state {
        Some(RunState::Running) => counts.add_running(),
        Some(RunState::Blocked(blocked)) => {
            if let Some(described) = capturer.describe(&thread, &blocked, Effort::Full) {
                counts.add_blocked(described.kind);
                call = Some(described.text);
            }
        }
        None => {}
    }
    let pending = state.and_then(|state| {
        capturer
            .stack(&thread, state, request.anchor, &*request.is_same_task)
            .ok()
    });
    capturer.close_thread(thread);
    // If the thread no longer runs that task, what was read may be about another one.
    (state.is_some() && (request.is_same_task)()).then_some(Inspection {
        counts,
        call,
        stack: None,
        pending,
    })
}
