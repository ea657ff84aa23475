use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, sync_channel};

use super::idle_learner::learn;
use super::idle_signature::Signature;
use super::task_snapshot::BusyThread;
use super::thread_names::ThreadNames;
use crate::capture::{RunState, ThreadFiles, has_time_limit};
use crate::clock::Clock;

/// For how many threads files are kept open, two for each.
const MAX_OPEN_THREADS: usize = 400;

/// Reads the state of pool threads. Used only on the pool monitor's thread, because its files
/// are in that thread's descriptor table.
#[derive(Debug)]
pub(super) struct ThreadReader {
    signature: Option<Signature>,
    /// Delivers the signature; `None` once it has.
    learning: Option<Receiver<Option<Signature>>>,
    files: HashMap<i32, ThreadFiles>,
}

impl ThreadReader {
    /// Starts a thread that learns the signature of idle pool threads. That takes seconds where
    /// CPU is contended.
    pub(super) fn new(clock: &Clock) -> Self {
        let clock = clock.clone();
        let (answer, learning) = sync_channel(1);
        let learner = std::thread::Builder::new()
            .name("pool-learn".into())
            .spawn(move || {
                // A panic in here is a bug. Then idle counts stay unknown.
                let learnt = catch_unwind(AssertUnwindSafe(|| learn(&clock)));
                let _ = answer.send(learnt.unwrap_or_default());
            });
        Self {
            signature: None,
            learning: learner.is_ok().then_some(learning),
            files: HashMap::new(),
        }
    }

    /// Counts the idle threads among `threads`. Returns `None` if that is unknown.
    pub(super) fn count_idle(
        &mut self,
        threads: &[i32],
        busy_threads: &[&BusyThread],
    ) -> Option<usize> {
        let learnt = self.learning.as_ref().map(Receiver::try_recv);
        if let Some(Ok(signature)) = learnt {
            self.signature = signature;
            self.learning = None;
        }
        let signature = self.signature.clone()?;
        let mut idle = 0;
        for thread in threads {
            if signature.is_idle(self.files(*thread)) != Some(true) {
                continue;
            }
            // The thread ran a wrapped task before it was read and still does, so it was
            // misidentified as idle: stop reporting idle counts.
            let is_wrong = busy_threads.iter().any(|busy| {
                busy.slot.thread_id() == *thread && busy.slot.is_in(busy.task.sequence)
            });
            if is_wrong {
                self.signature = None;
                return None;
            }
            idle += 1;
        }
        Some(idle)
    }

    /// Closes the files of threads that have ended.
    pub(super) fn forget_all_but(&mut self, names: &ThreadNames) {
        self.files.retain(|thread, _| names.contains(*thread));
    }

    /// Returns how often a thread was given a CPU, if it is now in a wait without a time limit.
    pub(super) fn switches_while_waiting(&mut self, thread: i32) -> Option<u64> {
        let files = self.files(thread);
        match files.state()? {
            RunState::Blocked(blocked) if !has_time_limit(&blocked) => files.timeslices(),
            _ => None,
        }
    }

    fn files(&mut self, thread: i32) -> &ThreadFiles {
        let keep = self.files.len() < MAX_OPEN_THREADS;
        self.files
            .entry(thread)
            .or_insert_with(|| ThreadFiles::open(thread, keep))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::blocking::Origin;
    use crate::instance::Instance;
    use crate::route::NONE;

    /// The signature matches every waiting thread, so it misidentifies a busy one.
    #[test]
    fn a_signature_that_misidentifies_a_thread_is_discarded() {
        let instance = Arc::new(Instance::new(
            Clock::new(),
            Duration::from_millis(10),
            8,
            None,
        ));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let entered = runtime.enter();
        drop(Origin::named(&instance, NONE).spawn(move || gate.recv()));
        let (busy, code) = loop {
            let mut slots = instance.pool_threads.list().into_iter();
            let Some((task, slot)) = slots.find_map(|slot| Some((slot.read()?, slot))) else {
                continue;
            };
            let files = ThreadFiles::open(slot.thread_id(), true);
            if let Some(RunState::Blocked(blocked)) = files.state() {
                break (BusyThread { slot, task }, blocked.code);
            }
        };
        let mut reader = ThreadReader {
            signature: Some(Signature::of_code(code)),
            learning: None,
            files: HashMap::new(),
        };
        let thread = [busy.slot.thread_id()];
        // Without the information that the thread runs a task, it counts as idle.
        assert_eq!(reader.count_idle(&thread, &[]), Some(1));
        assert_eq!(reader.count_idle(&thread, &[&busy]), None);
        assert_eq!(reader.count_idle(&thread, &[]), None);
        drop((open, entered));
    }
}
