use std::cell::UnsafeCell;
use std::io;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use super::perf::Sample;

/// The buffer that the handler fills. There is only one, because running threads are
/// sampled one after the other.
struct Mailbox {
    /// Which thread may access the other fields. 0: none. A thread id: the handler on that
    /// thread. `FILLING`: that handler, which has started. `FILLED`: the reader. Changed
    /// with `Acquire` and `Release`, which publish the other fields.
    state: AtomicI32,
    registers: UnsafeCell<[u64; REGISTERS]>,
    stack: UnsafeCell<[u8; STACK]>,
    filled: AtomicUsize,
}

const FILLING: i32 = -1;
const FILLED: i32 = -2;
const STACK: usize = 64 * 1024;
/// Indexed by DWARF number. The last is the instruction pointer.
const REGISTERS: usize = if cfg!(target_arch = "x86_64") { 17 } else { 33 };

// SAFETY: only one thread at a time accesses `registers` and `stack`: the one that
// `state` names.
unsafe impl Sync for Mailbox {}

static MAILBOX: Mailbox = Mailbox {
    state: AtomicI32::new(0),
    registers: UnsafeCell::new([0; REGISTERS]),
    stack: UnsafeCell::new([0; STACK]),
    filled: AtomicUsize::new(0),
};

/// Serializes the samples of all instances.
static TURN: Mutex<()> = Mutex::new(());

/// Proof that our handler is installed. Without one the signal would end the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handler(());

/// Returns the signal to use: a real-time signal that neither glibc nor musl uses itself.
fn number() -> i32 {
    libc::SIGRTMAX() - 3
}

/// Installs the handler once per process. It is never removed, because a signal that
/// arrives after that would end the process.
///
/// # Errors
///
/// If the service has its own handler for this signal.
pub(crate) fn install() -> io::Result<Handler> {
    static INSTALLED: OnceLock<Result<(), i32>> = OnceLock::new();
    INSTALLED
        .get_or_init(|| set_handler().map_err(|error| error.raw_os_error().unwrap_or(libc::EBUSY)))
        .map(|()| Handler(()))
        .map_err(io::Error::from_raw_os_error)
}

fn set_handler() -> io::Result<()> {
    // SAFETY: all zeroes is a valid `sigaction`: the default, an empty mask.
    let mut old: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: `old` is valid for a write; nothing is set.
    if unsafe { libc::sigaction(number(), std::ptr::null(), &raw mut old) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if old.sa_sigaction != libc::SIG_DFL {
        return Err(io::Error::from_raw_os_error(libc::EBUSY));
    }
    // SAFETY: as above.
    let mut new: libc::sigaction = unsafe { std::mem::zeroed() };
    new.sa_sigaction = on_signal as *const () as usize;
    new.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
    // SAFETY: `new` is filled in, and its handler does only what a handler may:
    // see there.
    match unsafe { libc::sigaction(number(), &raw const new, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Interrupts a thread and copies its registers and its stack up to `limit`.
/// Returns `None` if the thread did not answer in time.
///
/// This sample disturbs the thread: a system call that it is in, or is about to enter, may
/// fail with `EINTR`.
pub(crate) fn sample(_: Handler, thread: i32, limit: u64, patience: Duration) -> Option<Sample> {
    let _turn = crate::sync::lock(&TURN);
    // The handler reads it before `state` names its thread.
    MAILBOX
        .filled
        .store(usize::try_from(limit).ok()?, Ordering::Relaxed);
    MAILBOX.state.store(thread, Ordering::Release);
    let process = std::process::id();
    // SAFETY: takes numbers; a thread that has ended is an error.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, process, thread, number()) };
    let step = Duration::from_micros(50);
    let mut waited = Duration::ZERO;
    while sent == 0 && MAILBOX.state.load(Ordering::Acquire) != FILLED {
        let filling = MAILBOX.state.load(Ordering::Relaxed) == FILLING;
        if waited >= patience && !filling {
            break;
        }
        std::thread::sleep(step);
        waited += step;
    }
    // Withdraw the request. If the handler has started after all, wait for it.
    loop {
        match MAILBOX.state.load(Ordering::Acquire) {
            FILLING => std::thread::yield_now(),
            FILLED => break,
            armed => {
                let taken =
                    MAILBOX
                        .state
                        .compare_exchange(armed, 0, Ordering::AcqRel, Ordering::Acquire);
                if taken.is_ok() {
                    return None;
                }
            }
        }
    }
    // SAFETY: `FILLED` was read with `Acquire`: the handler is done, and until
    // `state` names a thread again, no other thread accesses it.
    let registers = unsafe { *MAILBOX.registers.get() };
    // SAFETY: as above.
    let stack = unsafe { &*MAILBOX.stack.get() };
    let stack = stack[..MAILBOX.filled.load(Ordering::Relaxed).min(STACK)].to_vec();
    MAILBOX.state.store(0, Ordering::Release);
    Some(Sample {
        registers: registers.into_iter().enumerate().collect(),
        stack,
    })
}

/// Copies registers and stack, if [`sample`] sent the signal for this thread.
///
/// Async-signal-safe: atomics, `gettid`, `process_vm_readv` (which answers
/// where a load would fault), and it preserves `errno`.
extern "C" fn on_signal(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: takes nothing, cannot fail.
    let thread = unsafe { libc::gettid() };
    let mine =
        MAILBOX
            .state
            .compare_exchange(thread, FILLING, Ordering::Acquire, Ordering::Relaxed);
    if mine.is_err() {
        return;
    }
    // SAFETY: gives the address of this thread's `errno`, always valid.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let saved = unsafe { *errno };
    // SAFETY: the kernel passes a `ucontext_t` with `SA_SIGINFO`.
    let context = unsafe { &*context.cast::<libc::ucontext_t>() };
    // SAFETY: `state` is `FILLING`, which only this handler has made it.
    let registers = unsafe { &mut *MAILBOX.registers.get() };
    // SAFETY: as above.
    let stack = unsafe { &mut *MAILBOX.stack.get() };
    let pointer = copy_registers(context, registers);
    let limit = MAILBOX.filled.load(Ordering::Relaxed) as u64;
    let length = usize::try_from(limit.saturating_sub(pointer)).unwrap_or(0);
    let filled = stack
        .get_mut(..length.min(STACK))
        .map_or(0, |stack| super::memory::read(pointer, stack));
    MAILBOX.filled.store(filled, Ordering::Relaxed);
    // SAFETY: as above.
    unsafe { *errno = saved };
    MAILBOX.state.store(FILLED, Ordering::Release);
}

/// Copies the registers, by DWARF number. Returns the stack pointer.
#[cfg(target_arch = "x86_64")]
fn copy_registers(context: &libc::ucontext_t, into: &mut [u64; REGISTERS]) -> u64 {
    let general = &context.uc_mcontext.gregs;
    for (dwarf, index) in [
        (0, libc::REG_RAX),
        (3, libc::REG_RBX),
        (6, libc::REG_RBP),
        (7, libc::REG_RSP),
        (12, libc::REG_R12),
        (13, libc::REG_R13),
        (14, libc::REG_R14),
        (15, libc::REG_R15),
        (16, libc::REG_RIP),
    ] {
        into[dwarf] = general[index as usize] as u64;
    }
    into[7]
}

// Written from the documentation. Not yet run on such a machine.
#[cfg(target_arch = "aarch64")]
fn copy_registers(context: &libc::ucontext_t, into: &mut [u64; REGISTERS]) -> u64 {
    into[..31].copy_from_slice(&context.uc_mcontext.regs);
    into[31] = context.uc_mcontext.sp;
    into[32] = context.uc_mcontext.pc;
    into[31]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn copy_registers(_: &libc::ucontext_t, _: &mut [u64; REGISTERS]) -> u64 {
    0
}
