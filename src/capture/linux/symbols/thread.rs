use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::Duration;

use super::symbolizer::{ModuleRef, Symbolizer, file_name, place};
use crate::capture::linux::unwind::Walk;
use crate::capture::{CaptureOutcome, Confidence, Hints, Stack};
use crate::sys;

const NAME: &str = "health-symbols";

/// Sends requests to the thread that reads symbols, so that the watchdog never waits for them.
///
/// Reading an executable's symbols for the first time takes up to seconds. A part that was not
/// read before takes up to tens of milliseconds, and one that was read before 20 µs.
///
/// The thread ends after this is dropped.
#[derive(Debug)]
pub(crate) struct Symbols(Sender<Request>);

/// The queue needs no bound of its own, because the number of stacks read per second is limited.
enum Request {
    Load(ModuleRef),
    Forget(ModuleRef),
    Name(Walk, SyncSender<Named>),
}

enum Named {
    /// What the symbols alone show, which is fast.
    Hints(Hints),
    Stack(Arc<Stack>),
}

impl Symbols {
    /// Called on the watchdog's thread, whose descriptor table the new thread shares.
    pub(crate) fn start() -> std::io::Result<Self> {
        let (sender, requests) = channel();
        std::thread::Builder::new()
            .name(NAME.into())
            .spawn(move || run(&requests))?;
        Ok(Self(sender))
    }

    /// Reads a module's symbols, unless that was done before.
    pub(crate) fn load(&self, module: ModuleRef) {
        self.send(Request::Load(module));
    }

    /// Forgets a module that was unloaded. Another may be loaded at its addresses.
    pub(crate) fn forget(&self, module: ModuleRef) {
        self.send(Request::Forget(module));
    }

    /// Starts naming the functions of a walk.
    pub(crate) fn name(&self, walk: Walk) -> PendingStack {
        let (sender, answers) = sync_channel(2);
        self.send(Request::Name(walk, sender));
        PendingStack {
            answers,
            hints: None,
        }
    }

    fn send(&self, request: Request) {
        // Cannot fail: the thread runs while this sender exists.
        let _ = self.0.send(request);
    }
}

/// A stack whose functions are being named.
#[derive(Debug)]
pub(crate) struct PendingStack {
    answers: Receiver<Named>,
    hints: Option<Hints>,
}

impl PendingStack {
    /// Waits for the named stack. Returns `None` after `timeout`.
    pub(crate) fn wait(&mut self, timeout: Duration) -> Option<Result<Arc<Stack>, CaptureOutcome>> {
        loop {
            match self.answers.recv_timeout(timeout) {
                Ok(Named::Hints(hints)) => self.hints = Some(hints),
                Ok(Named::Stack(stack)) => return Some(Ok(stack)),
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => return Some(Err(CaptureOutcome::Panicked)),
            }
        }
    }

    /// Returns what is known about the stack so far.
    pub(crate) fn hints(&self) -> Option<Hints> {
        self.hints
    }
}

fn run(requests: &Receiver<Request>) {
    // The thread is busy while the service starts, and must not slow it down.
    if !sys::is_filtered() {
        sys::lower_priority();
    }
    let mut symbolizer = Symbolizer::new();
    for request in requests {
        // A panic in here is a bug. Then the request gets no answer, and all symbols are read
        // again.
        let done = catch_unwind(AssertUnwindSafe(|| match request {
            Request::Load(module) => {
                symbolizer.load(&module);
            }
            Request::Forget(module) => symbolizer.forget(&module),
            Request::Name(walk, answer) => {
                // Sending fails if the poll is over and nothing waits for the stack.
                if !walk.frames.iter().all(|(_, code)| symbolizer.knows(*code)) {
                    let _ = answer.send(Named::Hints(hints(&mut symbolizer, &walk)));
                }
                let _ = answer.send(Named::Stack(Arc::new(name(&mut symbolizer, &walk))));
            }
        }));
        if done.is_err() {
            symbolizer = Symbolizer::new();
        }
    }
}

fn hints(symbolizer: &mut Symbolizer, walk: &Walk) -> Hints {
    let frames = walk.frames.iter();
    let symbols: Vec<_> = frames
        .filter_map(|(module, code)| symbolizer.symbol(&module.reference(), *code))
        .collect();
    Hints::of(symbols.iter().map(String::as_str))
}

fn name(symbolizer: &mut Symbolizer, walk: &Walk) -> Stack {
    let mut frames = Vec::new();
    for (module, code) in &walk.frames {
        frames.extend_from_slice(&symbolizer.expand(&module.reference(), *code));
    }
    let place = match walk.confidence {
        Confidence::Exact => {
            let mut modules = walk.frames.iter().map(|(module, _)| module);
            let own = modules.find(|module| module.is_executable);
            let name = own.map(|module| file_name(&module.path));
            place(
                &frames,
                name.unwrap_or_default(),
                own.and_then(|module| module.build_id.clone()),
            )
        }
        // A stack that is not proven names no place.
        Confidence::Approximate | Confidence::Incomplete => None,
    };
    let frames = frames.into_iter().map(|expanded| expanded.frame);
    Stack {
        frames: frames.collect(),
        place,
        confidence: walk.confidence,
    }
}
