use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use gimli::UnwindContext;

use super::modules::{Module, Modules};
use super::proc::ThreadFiles;
use super::socket::{Ask, Sockets};
use super::symbols::{PendingStack, Symbols};
use super::unwind::{Registers, StackCopy, Unwinder, Walk};
use super::{Blocked, Call, CallKind, Clocks, Confidence, Effort, Result, State, call};
use crate::slot::Mark;
use crate::sys::perf::{Event, Sample};
use crate::sys::{memory, signal, thread};

/// The most of a stack that is copied. A stack pointer further from the marker
/// is on another stack (a coroutine's, a signal's, a grown one).
const MAX_STACK: u64 = 1 << 20;

/// A little more than the marker's stack pointer, for words saved beside it.
const ABOVE_MARK: u64 = 64;

/// How long a running thread may take to be sampled. The sample is due after
/// 0.1 ms of CPU time.
const PATIENCE: Duration = Duration::from_millis(3);

/// How often a copy is tried while the thread moves.
const TRIES: usize = 3;

/// Descriptors a thread takes.
const PER_THREAD: u64 = 2;

/// Looks at other threads. Belongs to the watchdog's thread, whose descriptor
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
    event: Option<Event>,
    interrupt: bool,
    interrupted_calls: u64,
    /// Threads whose files can be held open.
    places: u64,
}

/// One thread that is looked at.
#[derive(Debug)]
pub(crate) struct Thread {
    files: ThreadFiles,
    holds_place: bool,
}

impl Capturer {
    /// Finds out what can be read here. `interrupt`: running threads may be
    /// sent a signal where there is no better way. `sample_under_seccomp`: calls
    /// that a filter might answer by ending the process are made all the same.
    ///
    /// Takes the calling thread's descriptors away: call it first.
    pub(crate) fn new(interrupt: bool, sample_under_seccomp: bool) -> Self {
        // Where that fails (before Linux 5.9) the files count against the
        // service's limit, as everybody's do.
        let _ = thread::unshare_descriptors();
        let may_sample = sample_under_seccomp || !thread::is_filtered();
        Self::with_table(interrupt, may_sample)
    }

    /// With the descriptor table of the service: a test's thread has use for it.
    #[cfg(test)]
    fn for_test() -> Self {
        Self::with_table(false, true)
    }

    fn with_table(interrupt: bool, may_sample: bool) -> Self {
        let own = ThreadFiles::open(thread::id(), true);
        Self {
            modules: Modules::default(),
            context: UnwindContext::new(),
            symbols: None,
            sockets: Sockets::default(),
            // One's own state is always "running".
            has_state: own.state().is_some() && own.slices().is_some(),
            event: may_sample.then(|| Event::open(thread::id()).ok()).flatten(),
            interrupt,
            interrupted_calls: 0,
            places: thread::descriptor_limit().saturating_sub(64) / PER_THREAD,
        }
    }

    /// Whom to ask what a socket is.
    pub(crate) fn ask_by(&mut self, ask: Ask) {
        self.sockets.ask = Some(ask);
    }

    /// How threads are read: the label `capture` of `build_info`.
    pub(crate) fn mode(&self) -> &'static str {
        let stacks = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
        match (self.has_state, stacks, self.event.is_some(), self.interrupt) {
            (false, ..) => "none",
            (_, false, ..) => "state",
            (_, _, true, _) => "blocked+running",
            (_, _, _, true) => "blocked+interrupted",
            _ => "blocked",
        }
    }

    pub(crate) fn adopt(&mut self, thread: i32) -> Thread {
        let keep = self.places > 0;
        self.places -= u64::from(keep);
        Thread {
            files: ThreadFiles::open(thread, keep),
            holds_place: keep,
        }
    }

    pub(crate) fn release(&mut self, thread: Thread) {
        self.places += u64::from(thread.holds_place);
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

    pub(crate) fn state(&self, thread: &Thread) -> Option<State> {
        self.has_state.then(|| thread.files.state())?
    }

    pub(crate) fn clocks(&self, thread: &Thread) -> Option<Clocks> {
        self.has_state.then(|| thread.files.clocks())?
    }

    /// What kind of call it is, if that takes no reading.
    pub(crate) fn kind(&self, blocked: &Blocked) -> Option<CallKind> {
        call::kind_without_descriptor(blocked.number, blocked.arguments)
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
        Some(call::describe(
            number,
            arguments,
            thread,
            &memory,
            &mut self.sockets,
            effort,
        ))
    }

    /// The stack of a thread that was seen in `state` within the poll of
    /// `mark`, which must be going on when its copy is there; its names may
    /// take a while. A bug in here that panics is an answer like any other.
    pub(crate) fn stack(
        &mut self,
        thread: &Thread,
        state: State,
        mark: Mark,
        is_same_poll: &dyn Fn() -> bool,
    ) -> std::result::Result<PendingStack, Result> {
        if mark.stack == 0 || self.symbols.is_none() {
            return Err(Result::Unreadable);
        }
        catch_unwind(AssertUnwindSafe(|| {
            let (registers, stack) = match state {
                State::Blocked(blocked) => {
                    let stack = copy_blocked(&thread.files, blocked, mark)?;
                    (Registers::blocked(blocked.stack, blocked.code), stack)
                }
                State::Running => self.sample(thread, mark)?,
            };
            if !is_same_poll() {
                return Err(Result::Moved);
            }
            let walk = self.read(registers, &stack, mark);
            let symbols = self.symbols.as_ref().ok_or(Result::Unreadable)?;
            Ok(symbols.name(walk))
        }))
        .unwrap_or(Err(Result::Panicked))
    }

    /// System calls that failed because of [`sample`](Self::sample)'s signals.
    pub(crate) fn interrupted_calls(&self) -> u64 {
        self.interrupted_calls
    }

    fn sample(
        &mut self,
        thread: &Thread,
        mark: Mark,
    ) -> std::result::Result<(Registers, StackCopy), Result> {
        let thread = thread.files.thread();
        let sample = match &self.event {
            Some(_) => Event::open(thread).and_then(|event| event.sample(PATIENCE)),
            None if self.interrupt => {
                let sample = signal::sample(thread, mark.stack + ABOVE_MARK, PATIENCE);
                self.interrupted_calls += u64::from(sample.as_ref().is_some_and(was_in_call));
                Ok(sample)
            }
            None => Ok(None),
        };
        let sample = sample.ok().flatten().ok_or(Result::Unreadable)?;
        let registers = Registers::sampled(&sample.registers).ok_or(Result::Unreadable)?;
        length(registers.stack(), mark)?;
        let start = registers.stack();
        let bytes = sample.stack;
        Ok((registers, StackCopy { start, bytes }))
    }

    fn read(&mut self, registers: Registers, stack: &StackCopy, mark: Mark) -> Walk {
        // An unknown address: something was loaded since.
        let known = self.modules.known(registers.code()).is_some();
        let mut walk = if known {
            self.walk(registers, stack, mark)
        } else {
            self.refresh();
            self.walk(registers, stack, mark)
        };
        // What was unloaded may have made room for another, which is walked by
        // the wrong tables or has the wrong names. 1 µs for each library.
        let is_doubtful = walk.confidence != Confidence::Exact || !are_still_there(&walk);
        if is_doubtful && known && self.refresh() {
            walk = self.walk(registers, stack, mark);
        }
        walk
    }

    fn walk(&mut self, registers: Registers, stack: &StackCopy, mark: Mark) -> Walk {
        let mut unwinder = Unwinder {
            modules: &mut self.modules,
            context: &mut self.context,
        };
        unwinder.walk(registers, stack, mark)
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
    let end = Mark {
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
fn length(stack: u64, mark: Mark) -> std::result::Result<usize, Result> {
    let length = mark
        .stack
        .checked_sub(stack)
        .filter(|length| *length <= MAX_STACK);
    let length = length.and_then(|length| usize::try_from(length + ABOVE_MARK).ok());
    length.ok_or(Result::Unreadable)
}

/// Copies the stack of a thread that stands still.
///
/// The thread is in the same call with the same stack pointer before and
/// after, and was not given a processor in between: so it has executed nothing
/// while its stack was copied.
fn copy_blocked(
    files: &ThreadFiles,
    blocked: Blocked,
    mark: Mark,
) -> std::result::Result<StackCopy, Result> {
    let length = length(blocked.stack, mark)?;
    let mut bytes = vec![0; length];
    for _ in 0..TRIES {
        let before = files.slices();
        if before.is_none() || files.state() != Some(State::Blocked(blocked)) {
            return Err(Result::Moved);
        }
        let copied = memory::read(blocked.stack, &mut bytes);
        if files.state() == Some(State::Blocked(blocked)) && files.slices() == before {
            bytes.truncate(copied);
            let start = blocked.stack;
            return Ok(StackCopy { start, bytes });
        }
    }
    Err(Result::Moved)
}

/// Whether a signal has made a system call fail: the thread stands behind a
/// `syscall` instruction with −EINTR in RAX.
fn was_in_call(sample: &Sample) -> bool {
    let register = |number| sample.registers.iter().find(|(found, _)| *found == number);
    let (Some((_, result)), Some((_, code))) = (register(0), register(16)) else {
        return false;
    };
    let mut before = [0; 2];
    *result == (-i64::from(libc::EINTR)) as u64
        && memory::read_exact(code.wrapping_sub(2), &mut before)
        && before == [0x0f, 0x05]
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
