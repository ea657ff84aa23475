use std::fmt;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Cause;
use super::classify::{Evidence, Looks, classify};
use crate::capture::{Capturer, Effort, PendingStack, Stack, State};
use crate::primitive::{AtomicBool, Ordering, lock};
use crate::slot::{Alarm, Mark};

/// Where others ask the watchdog about a thread: it has what is needed to read
/// one, which is not there twice.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    questions: Mutex<Vec<Asked>>,
    /// Publishes nothing but itself; the questions are behind their lock.
    has_any: AtomicBool,
}

/// A thread in a task that is not a poll.
pub(crate) struct Question {
    pub(crate) thread: i32,
    /// The frame that the task runs in.
    pub(crate) mark: Mark,
    /// Whether the thread is still in that task.
    pub(crate) is_same: Box<dyn Fn() -> bool + Send>,
}

struct Asked {
    question: Question,
    answer: SyncSender<Glance>,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").finish_non_exhaustive()
    }
}

/// What a thread was at when it was asked about.
#[derive(Debug)]
pub(crate) struct Glance {
    looks: Looks,
    pub(crate) call: Option<Arc<str>>,
    pub(crate) stack: Option<Arc<Stack>>,
    /// Its names are being read.
    pending: Option<PendingStack>,
}

impl Glance {
    /// Takes the stack, once its names are there. False if they may still come.
    pub(crate) fn is_complete(&mut self, patience: Duration) -> bool {
        let named = self
            .pending
            .as_mut()
            .map(|pending| pending.within(patience));
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
        if self.looks.running > 0 {
            return Cause::Cpu;
        }
        let hints = self.stack.as_deref().map(Stack::hints).unwrap_or_default();
        classify(&Evidence {
            looks: self.looks,
            in_name_lookup: hints.in_name_lookup,
            ..Evidence::default()
        })
    }
}

impl Desk {
    /// Asks, and waits for the answer: for a tick of the watchdog, most often;
    /// longer where processors are short.
    pub(crate) fn ask(&self, watchdog: &Alarm, question: Question) -> Option<Glance> {
        const PATIENCE: Duration = Duration::from_millis(200);
        let (answer, found) = sync_channel(1);
        lock(&self.questions).push(Asked { question, answer });
        self.has_any.store(true, Ordering::Release);
        watchdog.wake();
        found.recv_timeout(PATIENCE).ok()
    }

    /// Answers what was asked. Only the watchdog may call it.
    pub(super) fn answer(&self, capturer: &mut Capturer) {
        if !self.has_any.swap(false, Ordering::Acquire) {
            return;
        }
        for Asked { question, answer } in std::mem::take(&mut *lock(&self.questions)) {
            if let Some(glance) = look(capturer, &question) {
                // Nobody waits any more if it took too long.
                let _ = answer.try_send(glance);
            }
        }
    }
}

fn look(capturer: &mut Capturer, question: &Question) -> Option<Glance> {
    let thread = capturer.adopt(question.thread);
    let state = capturer.state(&thread);
    let mut looks = Looks::default();
    let mut call = None;
    match state {
        Some(State::Running) => looks.running = 1,
        Some(State::Blocked(blocked)) => {
            if let Some(described) = capturer.describe(&thread, &blocked, Effort::Full) {
                looks.add(described.kind);
                call = Some(described.words);
            }
        }
        None => {}
    }
    let pending = state.and_then(|state| {
        capturer
            .stack(&thread, state, question.mark, &*question.is_same)
            .ok()
    });
    capturer.release(thread);
    // Of the task that was asked about, or of none.
    (state.is_some() && (question.is_same)()).then_some(Glance {
        looks,
        call,
        stack: None,
        pending,
    })
}
