use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::Duration;

use super::symbolizer::{ModuleRef, Symbolizer, file_name, place};
use crate::capture::linux::unwind::Walk;
use crate::capture::{CaptureOutcome, Confidence, Hints, Stack};
use crate::sys;

const NAME: &str = "health-symbols";

/// The way to the thread that reads symbols: no look waits for them. To read
/// an executable's for the first time takes up to seconds, a part of it that
/// was not read yet up to some ten milliseconds, and what was read before 20 µs.
///
/// The thread ends after this is dropped.
#[derive(Debug)]
pub(crate) struct Symbols(Sender<Request>);

/// As many wait as stacks are taken in the time that symbols are read, which
/// is limited.
enum Request {
    Load(ModuleRef),
    Forget(ModuleRef),
    Name(Walk, SyncSender<Named>),
}

enum Named {
    /// By the symbols alone, which is quick.
    Hints(Hints),
    Stack(Arc<Stack>),
}

impl Symbols {
    /// Belongs to the watchdog, whose descriptor table its thread shares.
    pub(crate) fn start() -> std::io::Result<Self> {
        let (sender, requests) = channel();
        std::thread::Builder::new()
            .name(NAME.into())
            .spawn(move || run(&requests))?;
        Ok(Self(sender))
    }

    /// Reads a module's symbols, if that was not done yet.
    pub(crate) fn load(&self, module: ModuleRef) {
        self.send(Request::Load(module));
    }

    /// A module is gone, and something else may come to its addresses.
    pub(crate) fn forget(&self, module: ModuleRef) {
        self.send(Request::Forget(module));
    }

    /// Gives the frames of a walk their names.
    pub(crate) fn name(&self, walk: Walk) -> PendingStack {
        let (sender, answers) = sync_channel(2);
        self.send(Request::Name(walk, sender));
        PendingStack {
            answers,
            hints: None,
        }
    }

    fn send(&self, request: Request) {
        // The thread goes on as long as there is somebody to send.
        let _ = self.0.send(request);
    }
}

/// A stack that was walked, and whose functions are being named.
#[derive(Debug)]
pub(crate) struct PendingStack {
    answers: Receiver<Named>,
    hints: Option<Hints>,
}

impl PendingStack {
    /// Waits for it. `None` if it takes longer.
    pub(crate) fn within(
        &mut self,
        patience: Duration,
    ) -> Option<Result<Arc<Stack>, CaptureOutcome>> {
        loop {
            match self.answers.recv_timeout(patience) {
                Ok(Named::Hints(hints)) => self.hints = Some(hints),
                Ok(Named::Stack(stack)) => return Some(Ok(stack)),
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => return Some(Err(CaptureOutcome::Panicked)),
            }
        }
    }

    /// What is known of it so far.
    pub(crate) fn hints(&self) -> Option<Hints> {
        self.hints
    }
}

fn run(requests: &Receiver<Request>) {
    // It has much to read while the service starts.
    if !sys::is_filtered() {
        sys::lower_priority();
    }
    let mut symbolizer = Symbolizer::new();
    for request in requests {
        // Nothing in there panics but by a bug. Then its answer does not come,
        // and what was read is read anew.
        let done = catch_unwind(AssertUnwindSafe(|| match request {
            Request::Load(module) => {
                symbolizer.load(&module);
            }
            Request::Forget(module) => symbolizer.forget(&module),
            Request::Name(walk, answer) => {
                // Nobody waits any more if the poll is over.
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
        // Never a guess.
        Confidence::Approximate | Confidence::Incomplete => None,
    };
    let frames = frames.into_iter().map(|expanded| expanded.frame);
    Stack {
        frames: frames.collect(),
        place,
        confidence: walk.confidence,
    }
}
