use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use gimli::UnwindContext;

use super::copy::{ABOVE_ANCHOR, copy_blocked, length};
use super::module::Module;
use super::modules::Modules;
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

/// How long to wait for the sample of a running thread. It is due after 0.1 ms of CPU time.
const SAMPLE_TIMEOUT: Duration = Duration::from_millis(3);

/// How many descriptors an open thread takes.
const DESCRIPTORS_PER_THREAD: u64 = 2;

/// Reads the state and the stack of other threads. Used only on the watchdog's thread, because
/// its files are in that thread's descriptor table.
pub(crate) struct Capturer {
    modules: Modules,
    context: UnwindContext<usize>,
    /// `None` until they are [loaded](Self::load).
    symbols: Option<Symbols>,
    sockets: Sockets,
    has_state: bool,
    /// A perf event on the calling thread, never enabled. `None` where events are not available.
    ///
    /// The kernel takes 8 ms to create the first event on a machine, and 20 µs for each further
    /// one while it exists. While a thread has an event, each of its context switches takes
    /// 1 µs more. So the event that stays open must not be on a thread of the service.
    event: Option<(Permit, Event)>,
    /// The handler of the signal for running threads, if the user allows it.
    handler: Option<signal::Handler>,
    interrupted_calls: u64,
    /// For how many more threads files may be kept open.
    open_threads_left: u64,
}

/// One thread that is read.
#[derive(Debug)]
pub(crate) struct Thread {
    files: ThreadFiles,
    is_kept_open: bool,
}

impl Capturer {
    /// Gives the calling thread its own descriptor table, and finds out what can be read on this
    /// system.
    ///
    /// `interrupt` allows a signal to be sent to running threads where there is no better way.
    /// `sample_under_seccomp` allows system calls that a seccomp filter may answer by killing
    /// the process. `sockets` describes sockets, on a thread that has the service's table.
    pub(crate) fn new(
        fresh: FreshThread,
        interrupt: bool,
        sample_under_seccomp: bool,
        sockets: SocketLookup,
    ) -> Self {
        // Where this fails (before Linux 5.9) the files count against the service's limit.
        let _ = sys::unshare_descriptors(fresh);
        let handler = interrupt.then(|| signal::install().ok()).flatten();
        Self::with_table(handler, Permit::obtain(sample_under_seccomp), Some(sockets))
    }

    /// Returns a capturer that uses the process's descriptor table.
    #[cfg(test)]
    fn for_test() -> Self {
        Self::with_table(None, Permit::obtain(true), None)
    }

    fn with_table(
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
            has_state: own.state().is_some() && own.timeslices().is_some(),
            event,
            handler,
            interrupted_calls: 0,
            open_threads_left: sys::descriptor_limit().saturating_sub(64) / DESCRIPTORS_PER_THREAD,
        }
    }

    /// Returns how threads are read: the label `capture` of `build_info`.
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
            is_kept_open: keep,
        }
    }

    pub(crate) fn close_thread(&mut self, thread: Thread) {
        self.open_threads_left += u64::from(thread.is_kept_open);
    }

    /// Prepares to read stacks: copies the unwind tables, and starts reading the executable's
    /// symbols in the background.
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

    /// Returns what kind of call it is, if the number and the arguments decide it.
    pub(crate) fn kind(&self, blocked: &Blocked) -> Option<CallKind> {
        kind_by_number(blocked.number, blocked.arguments)
    }

    /// Describes the call.
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

    /// Reads the stack of a thread that was seen in `state` within the poll of `anchor`. The
    /// functions of the stack are named in the background.
    ///
    /// `is_same_poll` must still hold after the stack was copied. A panic in here is a bug, and
    /// is returned as an outcome.
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

    /// Returns how many system calls failed because a signal of [`sample`](Self::sample)
    /// interrupted them.
    pub(crate) fn interrupted_calls(&self) -> u64 {
        self.interrupted_calls
    }

    /// Samples the registers and the stack of a running thread.
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
                    .and_then(|event| event.sample(SAMPLE_TIMEOUT))
                    .ok()
                    .flatten()
            }
            (None, Some(handler)) => {
                let limit = anchor.stack + ABOVE_ANCHOR;
                let sample = signal::sample(handler, thread, limit, SAMPLE_TIMEOUT);
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
        // An unknown address means that a library was loaded since the last refresh.
        let known = self.modules.find(registers.code()).is_some();
        let mut walk = if known {
            self.walk(registers, stack, anchor)
        } else {
            self.refresh();
            self.walk(registers, stack, anchor)
        };
        // Another library may have been loaded where one was unloaded. Then its frames were
        // walked by the wrong tables or would get the wrong names. The check takes 1 µs per
        // library.
        let is_doubtful = walk.confidence != Confidence::Exact || !are_still_mapped(&walk);
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

    /// Updates the modules. Returns false if none was loaded or unloaded.
    fn refresh(&mut self) -> bool {
        let before = self.modules.generation();
        for unloaded in self.modules.refresh() {
            if let Some(symbols) = &self.symbols {
                symbols.forget(unloaded.reference());
            }
        }
        self.modules.generation() != before
    }
}

/// Returns the return addresses of a blocked thread's functions, innermost first, as far as the
/// unwind tables lead. `bytes` is its stack.
///
/// Copies all unwind tables first, so it is too slow for regular use.
pub(crate) fn return_addresses(blocked: Blocked, bytes: Vec<u8>) -> Vec<u64> {
    let mut modules = Modules::default();
    modules.refresh();
    let mut unwinder = Unwinder {
        modules: &mut modules,
        context: &mut UnwindContext::new(),
    };
    let registers = Registers::blocked(blocked.stack, blocked.code);
    let start = blocked.stack;
    // No frame is at this anchor, so the walk continues to the start of the thread.
    let end = StackAnchor {
        stack: u64::MAX,
        code: 0,
    };
    let walk = unwinder.walk(registers, &StackCopy { start, bytes }, end);
    let callers = walk.frames.iter().skip(1);
    // The walk returns the address before each return address.
    callers.map(|(_, code)| code + 1).collect()
}

/// Returns whether all modules of a walk are still mapped.
fn are_still_mapped(walk: &Walk) -> bool {
    let mut checked: Option<&Arc<Module>> = None;
    walk.frames.iter().all(|(module, _)| {
        let is_same = checked
            .replace(module)
            .is_some_and(|last| Arc::ptr_eq(last, module));
        is_same || module.is_executable || module.is_still_mapped()
    })
}

#[cfg(test)]
#[path = "capturer_tests.rs"]
mod tests;
