use std::io;

use crate::sys::FreshThread;

/// Returns the kernel's id of the calling thread.
pub(crate) fn thread_id() -> i32 {
    // SAFETY: takes nothing, cannot fail.
    unsafe { libc::gettid() }
}

/// Returns the CPU time of another thread of this process, in nanoseconds; exact even while
/// it runs. `None` if there is no such thread.
pub(crate) fn cpu_nanos(thread: i32) -> Option<u64> {
    // The kernel's encoding of "scheduler clock of this thread" (see
    // clock_getcpuclockid(3) and CPUCLOCK_* in the kernel's posix-timers.h).
    let clock = (!thread << 3) | 6;
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for a write; any clock id is allowed, unknown
    // ones are an error.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    if result != 0 {
        return None;
    }
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanos = u64::try_from(time.tv_nsec).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// Gives the calling thread its own descriptor table, empty except for the first three, so
/// that it can open files while the service has no descriptor left.
///
/// The other threads keep theirs. What this thread's closure captured must not use a
/// descriptor here: in the new table its number is invalid, or names another file.
///
/// # Errors
///
/// Before Linux 5.9, or where a seccomp filter refuses it.
pub(crate) fn unshare_descriptors(_: FreshThread) -> io::Result<()> {
    const UNSHARE: libc::c_uint = 2;
    // SAFETY: closes no descriptor that is in use: the token proves that this thread has
    // opened none, and those of all other threads stay as they are, since the table is
    // copied before it is emptied.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, UNSHARE) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Returns whether a seccomp filter is in force. Some filters end the process on a call they
/// do not know, so the result is `true` if this cannot be read.
pub(crate) fn is_filtered() -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/thread-self/status") else {
        return true;
    };
    let mut lines = status.lines();
    // A missing line means a kernel without seccomp.
    let mode = lines.find_map(|line| line.strip_prefix("Seccomp:"));
    mode.is_some_and(|mode| mode.trim() != "0")
}

/// Lowers the priority of the calling thread below that of normal threads. Has no effect
/// if that is refused.
pub(crate) fn lower_priority() {
    const NICE: libc::c_int = 10;
    // SAFETY: takes numbers; 0 is the calling thread, on Linux.
    unsafe { libc::setpriority(libc::PRIO_PROCESS as _, 0, NICE) };
}

/// Returns how many descriptors a table may hold.
pub(crate) fn descriptor_limit() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is valid for a write.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } {
        0 => limit.rlim_cur,
        _ => 0,
    }
}
