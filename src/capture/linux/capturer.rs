use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use gimli::UnwindContext;

use super::modules::{Module, Modules};
use super::procfs::ThreadFiles;
use super::symbols::{PendingStack, Symbols};
use super::syscall::{SocketLookup, Sockets, describe, kind_by_number};
use super::unwind::{Registers, StackCopy, Unwinder, Walk, arch};
use crate::capture::{
    Blocked, Call, CaptureMode, CaptureOutcome, Clocks, Confidence, Effort, RunState,
};
use crate::model::CallKind;
use crate::slot::StackAnchor;
use crate::sys::perf::{Event, Permit};
use crate::sys::{self, FreshThread, memory, signal};

/// The most of a stack that is copied. A stack pointer further from the marker
/// is on another stack (a coroutine's, a signal's, a grown one).
const MAX_STACK: u64 = 1 << 20;

/// A little more than the marker's stack pointer, for words saved beside it.
const ABOVE_ANCHOR: u64 = 64;

/// How long a running thread may take to be sampled. The sample is due after
/// 0.1 ms of CPU time.
const PATIENCE: Duration = Duration::from_millis(3);

/// How often a copy is tried while the thread moves.
const TRIES: usize = 3;

/// Descriptors a thread takes.
const PER_THREAD: u64 = 2;

/// StateCounts at other threads. Belongs to the watchdog's thread, whose descriptor
/// table it uses.
pub(crate) struct Capturer {
    modules: Modules,
    context: UnwindContext<usize>,
    /// Once they are [loaded](Self::load).
    symbols: Option<Symbols>,
    sockets: Sockets,
    has_state: bool,
    /// On the calling thread, never switched on, where events can be had. The
    /// kernel takes 8 ms for the first event of the machine, 20 µs for one beside
    /// it; and as long as a thread has one, each of its switches takes 1 µs more,
    /// which no thread of the service is to pay.
    event: Option<(Permit, Event)>,
    /// Of the signal for running threads, where the user allows it.
    handler: Option<signal::Handler>,
    interrupted_calls: u64,
    /// For how many more threads files may be held open.
    open_threads_left: u64,
}

/// One thread that is looked at.
#[derive(Debug)]
pub(crate) struct Thread {
    files: ThreadFiles,
    is_held_open: bool,
}

impl Capturer {
    /// Finds out what can be read here, and gives the calling thread its own descriptor
    /// table.
    ///
    /// `interrupt`: running threads may be sent a signal where there is no better way.
    /// `sample_under_seccomp`: system calls that a filter might answer by ending the process
    /// are made all the same. `sockets` describes sockets, from a thread that has the
    /// service's table.
    pub(crate) fn new(
        fresh: FreshThread,
        interrupt: bool,
        sample_under_seccomp: bool,
        sockets: SocketLookup,
    ) -> Self {
        // Where that fails (before Linux 5.9) the files count against the service's limit.
        let _ = sys::unshare_descriptors(fresh);
        let handler = interrupt.then(|| signal::install().ok()).flatten();
        Self::in_own_table(handler, Permit::obtain(sample_under_seccomp), Some(sockets))
    }

    /// In the descriptor table of the service, which a test's thread uses, too.
    #[cfg(test)]
    fn for_test() -> Self {
        Self::in_own_table(None, Permit::obtain(true), None)
    }

    fn in_own_table(
        handler: Option<signal::Handler>,
        permit: Option<Permit>,
        sockets: Option<SocketLookup>,
    ) -> Self {
        let own = ThreadFiles::open(sys::thread_id(), true);
        let event = permit.and_then(|permit| {
            let event = Event::open(permit, sys::thread_id()).ok()?;
            Some((permit, event))
        });
        Self {
            modules: Modules::default(),
            context: UnwindContext::new(),
            symbols: None,
            sockets: Sockets::new(sockets),
            // A thread reads its own state as "running".
            has_state: own.state().is_some() && own.slices().is_some(),
            event,
            handler,
            interrupted_calls: 0,
            open_threads_left: sys::descriptor_limit().saturating_sub(64) / PER_THREAD,
        }
    }

    /// How threads are read: the label `capture` of `build_info`.
    pub(crate) fn mode(&self) -> CaptureMode {
        let stacks = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
        match (self.has_state, stacks) {
            (false, _) => CaptureMode::None,
            (_, false) => CaptureMode::State,
            _ if self.event.is_some() => CaptureMode::BlockedRunning,
            _ if self.handler.is_some() => CaptureMode::BlockedInterrupted,
            _ => CaptureMode::Blocked,
        }
    }

    pub(crate) fn open_thread(&mut self, thread: i32) -> Thread {
        let keep = self.open_threads_left > 0;
        self.open_threads_left -= u64::from(keep);
        Thread {
            files: ThreadFiles::open(thread, keep),
            is_held_open: keep,
        }
    }

    pub(crate) fn close_thread(&mut self, thread: Thread) {
        self.open_threads_left += u64::from(thread.is_held_open);
    }

    /// Gets ready to read stacks: copies the unwind tables, and has the
    /// executable's symbols read meanwhile.
    pub(crate) fn load(&mut self) {
        if !self.has_state {
            return;
        }
        self.refresh();
        self.symbols = Symbols::start().ok();
        if let (Some(symbols), Some(executable)) = (&self.symbols, self.modules.executable()) {
            symbols.load(executable.reference());
        }
    }

    pub(crate) fn state(&self, thread: &Thread) -> Option<RunState> {
        self.has_state.then(|| thread.files.state())?
    }

    pub(crate) fn clocks(&self, thread: &Thread) -> Option<Clocks> {
        self.has_state.then(|| thread.files.clocks())?
    }

    /// What kind of call it is, if that takes no reading.
    pub(crate) fn kind(&self, blocked: &Blocked) -> Option<CallKind> {
        kind_by_number(blocked.number, blocked.arguments)
    }

    /// The call in words.
    pub(crate) fn describe(
        &mut self,
        thread: &Thread,
        blocked: &Blocked,
        effort: Effort,
    ) -> Option<Call> {
        let memory = |address, into: &mut [u8]| memory::read_exact(address, into);
        let (number, arguments) = (blocked.number, blocked.arguments);
        let thread = thread.files.thread();
        Some(describe(
            number,
            arguments,
            thread,
            &memory,
            &mut self.sockets,
            effort,
        ))
    }

    /// The stack of a thread that was seen in `state` within the poll of
    /// `anchor`, which must be going on when its copy is there; its names may
    /// take a while. A bug in here that panics is an answer like any other.
    pub(crate) fn stack(
        &mut self,
        thread: &Thread,
        state: RunState,
        anchor: StackAnchor,
        is_same_poll: &dyn Fn() -> bool,
    ) -> Result<PendingStack, CaptureOutcome> {
        if anchor.stack == 0 || self.symbols.is_none() {
            return Err(CaptureOutcome::Unreadable);
        }
        catch_unwind(AssertUnwindSafe(|| {
            let (registers, stack) = match state {
                RunState::Blocked(blocked) => {
                    let stack = copy_blocked(&thread.files, blocked, anchor)?;
                    (Registers::blocked(blocked.stack, blocked.code), stack)
                }
                RunState::Running => self.sample(thread, anchor)?,
            };
            if !is_same_poll() {
                return Err(CaptureOutcome::Moved);
            }
            let walk = self.read(registers, &stack, anchor);
            let symbols = self.symbols.as_ref().ok_or(CaptureOutcome::Unreadable)?;
            Ok(symbols.name(walk))
        }))
        .unwrap_or(Err(CaptureOutcome::Panicked))
    }

    /// System calls that failed because of [`sample`](Self::sample)'s signals.
    pub(crate) fn interrupted_calls(&self) -> u64 {
        self.interrupted_calls
    }

    fn sample(
        &mut self,
        thread: &Thread,
        anchor: StackAnchor,
    ) -> Result<(Registers, StackCopy), CaptureOutcome> {
        let thread = thread.files.thread();
        let sample = match (&self.event, self.handler) {
            (Some((permit, _)), _) => {
                let event = Event::open(*permit, thread);
                event
                    .and_then(|event| event.sample(PATIENCE))
                    .ok()
                    .flatten()
            }
            (None, Some(handler)) => {
                let limit = anchor.stack + ABOVE_ANCHOR;
                let sample = signal::sample(handler, thread, limit, PATIENCE);
                let was_interrupted = sample.as_ref().is_some_and(arch::was_call_interrupted);
                self.interrupted_calls += u64::from(was_interrupted);
                sample
            }
            (None, None) => None,
        };
        let sample = sample.ok_or(CaptureOutcome::Unreadable)?;
        let registers = Registers::sampled(&sample.registers).ok_or(CaptureOutcome::Unreadable)?;
        length(registers.stack(), anchor)?;
        let start = registers.stack();
        let bytes = sample.stack;
        Ok((registers, StackCopy { start, bytes }))
    }

    fn read(&mut self, registers: Registers, stack: &StackCopy, anchor: StackAnchor) -> Walk {
        // An unknown address: something was loaded since.
        let known = self.modules.known(registers.code()).is_some();
        let mut walk = if known {
            self.walk(registers, stack, anchor)
        } else {
            self.refresh();
            self.walk(registers, stack, anchor)
        };
        // What was unloaded may have made room for another, which is walked by
        // the wrong tables or has the wrong names. 1 µs for each library.
        let is_doubtful = walk.confidence != Confidence::Exact || !are_still_there(&walk);
        if is_doubtful && known && self.refresh() {
            walk = self.walk(registers, stack, anchor);
        }
        walk
    }

    fn walk(&mut self, registers: Registers, stack: &StackCopy, anchor: StackAnchor) -> Walk {
        let mut unwinder = Unwinder {
            modules: &mut self.modules,
            context: &mut self.context,
        };
        unwinder.walk(registers, stack, anchor)
    }

    /// Takes in what was loaded and unloaded. False if that was nothing.
    fn refresh(&mut self) -> bool {
        let before = self.modules.generation();
        for gone in self.modules.refresh() {
            if let Some(symbols) = &self.symbols {
                symbols.forget(gone.reference());
            }
        }
        self.modules.generation() != before
    }
}

/// Where the functions will return to that a blocked thread is in, innermost
/// first, as far as the unwind tables lead. `bytes`: its stack.
///
/// Copies all unwind tables first: not for looks.
pub(crate) fn return_addresses(blocked: Blocked, bytes: Vec<u8>) -> Vec<u64> {
    let mut modules = Modules::default();
    modules.refresh();
    let mut unwinder = Unwinder {
        modules: &mut modules,
        context: &mut UnwindContext::new(),
    };
    let registers = Registers::blocked(blocked.stack, blocked.code);
    let start = blocked.stack;
    // To the thread's own start.
    let end = StackAnchor {
        stack: u64::MAX,
        code: 0,
    };
    let walk = unwinder.walk(registers, &StackCopy { start, bytes }, end);
    let callers = walk.frames.iter().skip(1);
    // The walk gives the byte before.
    callers.map(|(_, code)| code + 1).collect()
}

fn are_still_there(walk: &Walk) -> bool {
    let mut checked: Option<&Arc<Module>> = None;
    walk.frames.iter().all(|(module, _)| {
        let is_same = checked
            .replace(module)
            .is_some_and(|last| Arc::ptr_eq(last, module));
        is_same || module.is_executable || module.is_still_there()
    })
}

/// How much of the stack there is to copy.
fn length(stack: u64, anchor: StackAnchor) -> Result<usize, CaptureOutcome> {
    let length = anchor
        .stack
        .checked_sub(stack)
        .filter(|length| *length <= MAX_STACK);
    let length = length.and_then(|length| usize::try_from(length + ABOVE_ANCHOR).ok());
    length.ok_or(CaptureOutcome::Unreadable)
}

/// Copies the stack of a thread that stands still.
///
/// The thread is in the same call with the same stack pointer before and
/// after, and was not given a processor in between: so it has executed nothing
/// while its stack was copied.
fn copy_blocked(
    files: &ThreadFiles,
    blocked: Blocked,
    anchor: StackAnchor,
) -> Result<StackCopy, CaptureOutcome> {
    let length = length(blocked.stack, anchor)?;
    let mut bytes = vec![0; length];
    for _ in 0..TRIES {
        let before = files.slices();
        if before.is_none() || files.state() != Some(RunState::Blocked(blocked)) {
            return Err(CaptureOutcome::Moved);
        }
        let copied = memory::read(blocked.stack, &mut bytes);
        if files.state() == Some(RunState::Blocked(blocked)) && files.slices() == before {
            bytes.truncate(copied);
            let start = blocked.stack;
            return Ok(StackCopy { start, bytes });
        }
    }
    Err(CaptureOutcome::Moved)
}

#[cfg(test)]
#[path = "capturer_tests.rs"]
mod tests;
