use crate::model::CallKind;

/// Which arguments of a call say what it operates on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    Nothing,
    /// This argument is a descriptor.
    Descriptor(usize),
    /// The first argument is a descriptor that may already refer to another file. The kernel
    /// removes it from the table before the slow part of the call.
    Closing,
    /// The first argument is a descriptor, the second the operation on it.
    Control,
    /// The first argument is a socket. These arguments are an address and its length.
    Address(usize, usize),
    /// This argument is a path.
    Path(usize),
    /// The second argument is a path. If it is empty, the first is the descriptor that the call
    /// operates on.
    PathAt,
    /// The arguments are an array of `struct pollfd` and its length.
    PollList,
    /// The arguments are the highest descriptor plus one, and three bit sets.
    SelectSets,
    /// The second argument is a futex operation.
    Futex,
    /// The first argument is a process number.
    Process,
    /// The first argument is the type of the identifier in the second.
    ProcessOr,
    /// The first argument is the flags.
    CloneFlags,
    /// The first argument is the address of a struct that begins with the flags.
    CloneStruct,
}

/// What is known about a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SyscallInfo {
    /// `None` if it depends on the operand.
    pub(super) kind: Option<CallKind>,
    pub(super) name: &'static str,
    pub(super) operand: Operand,
}

const PAGE_FAULT: i64 = -1;
/// The same number on both architectures. The `libc` crate does not have it yet.
const FUTEX_WAIT: i64 = 455;

/// Looks up a system call by the number of this architecture.
pub(super) fn syscall_info(number: i64) -> Option<SyscallInfo> {
    let found = memory_or_process(number)
        .or_else(|| descriptor(number))
        .or_else(|| waiting(number))
        .or_else(|| path(number));
    #[cfg(target_arch = "x86_64")]
    let found = found.or_else(|| legacy(number));
    found
}

fn row(kind: Option<CallKind>, name: &'static str, operand: Operand) -> Option<SyscallInfo> {
    Some(SyscallInfo {
        kind,
        name,
        operand,
    })
}

/// Calls on a descriptor.
fn descriptor(number: i64) -> Option<SyscallInfo> {
    use Operand::{Address, Closing, Descriptor as Fd};
    let any = |name, at| row(None, name, Fd(at));
    let file = |name| row(Some(CallKind::File), name, Fd(0));
    let socket = |name, operand| row(Some(CallKind::Network), name, operand);
    match number {
        libc::SYS_read => any("read", 0),
        libc::SYS_readv => any("readv", 0),
        libc::SYS_write => any("write", 0),
        libc::SYS_writev => any("writev", 0),
        libc::SYS_ioctl => any("ioctl", 0),
        libc::SYS_fcntl => row(None, "fcntl", Operand::Control),
        libc::SYS_sendfile => any("sendfile", 0),
        libc::SYS_splice => any("splice", 0),
        libc::SYS_tee => any("tee", 0),
        libc::SYS_vmsplice => any("vmsplice", 0),
        libc::SYS_epoll_pwait => any("epoll_pwait", 0),
        libc::SYS_epoll_pwait2 => any("epoll_pwait2", 0),
        libc::SYS_close => row(Some(CallKind::Other), "close", Closing),
        libc::SYS_dup3 => row(Some(CallKind::Other), "dup3", Closing),
        libc::SYS_pread64 => file("pread64"),
        libc::SYS_preadv => file("preadv"),
        libc::SYS_preadv2 => file("preadv2"),
        libc::SYS_pwrite64 => file("pwrite64"),
        libc::SYS_pwritev => file("pwritev"),
        libc::SYS_pwritev2 => file("pwritev2"),
        libc::SYS_lseek => file("lseek"),
        libc::SYS_readahead => file("readahead"),
        libc::SYS_copy_file_range => file("copy_file_range"),
        libc::SYS_fsync => file("fsync"),
        libc::SYS_fdatasync => file("fdatasync"),
        libc::SYS_sync_file_range => file("sync_file_range"),
        libc::SYS_syncfs => file("syncfs"),
        libc::SYS_flock => file("flock"),
        libc::SYS_ftruncate => file("ftruncate"),
        libc::SYS_fallocate => file("fallocate"),
        libc::SYS_fadvise64 => file("fadvise64"),
        libc::SYS_fstat => file("fstat"),
        libc::SYS_fstatfs => file("fstatfs"),
        libc::SYS_fchmod => file("fchmod"),
        libc::SYS_fchown => file("fchown"),
        libc::SYS_fchdir => file("fchdir"),
        libc::SYS_fgetxattr => file("fgetxattr"),
        libc::SYS_fsetxattr => file("fsetxattr"),
        libc::SYS_getdents64 => file("getdents64"),
        libc::SYS_recvfrom => socket("recvfrom", Fd(0)),
        libc::SYS_recvmsg => socket("recvmsg", Fd(0)),
        libc::SYS_recvmmsg => socket("recvmmsg", Fd(0)),
        libc::SYS_sendto => socket("sendto", Address(4, 5)),
        libc::SYS_sendmsg => socket("sendmsg", Fd(0)),
        libc::SYS_sendmmsg => socket("sendmmsg", Fd(0)),
        libc::SYS_connect => socket("connect", Address(1, 2)),
        libc::SYS_accept => socket("accept", Fd(0)),
        libc::SYS_accept4 => socket("accept4", Fd(0)),
        libc::SYS_shutdown => socket("shutdown", Fd(0)),
        libc::SYS_bind => socket("bind", Fd(0)),
        libc::SYS_listen => socket("listen", Fd(0)),
        libc::SYS_getsockopt => socket("getsockopt", Fd(0)),
        libc::SYS_setsockopt => socket("setsockopt", Fd(0)),
        _ => None,
    }
}

/// Calls on a path. The newer ones have a directory as their first argument.
fn path(number: i64) -> Option<SyscallInfo> {
    let file = |name, operand| row(Some(CallKind::File), name, operand);
    let (first, second) = (Operand::Path(0), Operand::PathAt);
    match number {
        libc::SYS_openat => file("openat", second),
        libc::SYS_openat2 => file("openat2", second),
        libc::SYS_newfstatat => file("newfstatat", second),
        libc::SYS_statx => file("statx", second),
        libc::SYS_unlinkat => file("unlinkat", second),
        libc::SYS_renameat => file("renameat", second),
        libc::SYS_renameat2 => file("renameat2", second),
        libc::SYS_linkat => file("linkat", second),
        libc::SYS_symlinkat => file("symlinkat", first),
        libc::SYS_mkdirat => file("mkdirat", second),
        libc::SYS_mknodat => file("mknodat", second),
        libc::SYS_readlinkat => file("readlinkat", second),
        libc::SYS_faccessat => file("faccessat", second),
        libc::SYS_faccessat2 => file("faccessat2", second),
        libc::SYS_fchmodat => file("fchmodat", second),
        libc::SYS_fchownat => file("fchownat", second),
        libc::SYS_utimensat => file("utimensat", second),
        libc::SYS_truncate => file("truncate", first),
        libc::SYS_statfs => file("statfs", first),
        libc::SYS_chdir => file("chdir", first),
        libc::SYS_getxattr => file("getxattr", first),
        libc::SYS_setxattr => file("setxattr", first),
        libc::SYS_sync => file("sync", Operand::Nothing),
        libc::SYS_msync => file("msync", Operand::Nothing),
        libc::SYS_io_getevents => file("io_getevents", Operand::Nothing),
        libc::SYS_io_submit => file("io_submit", Operand::Nothing),
        _ => None,
    }
}

/// Calls that wait for time, for other threads or for one of several events; and all the rest.
fn waiting(number: i64) -> Option<SyscallInfo> {
    let lock = |name| row(Some(CallKind::Lock), name, Operand::Nothing);
    let sleep = |name| row(Some(CallKind::Sleep), name, Operand::Nothing);
    let other = |name| row(Some(CallKind::Other), name, Operand::Nothing);
    match number {
        libc::SYS_nanosleep => sleep("nanosleep"),
        libc::SYS_clock_nanosleep => sleep("clock_nanosleep"),
        libc::SYS_ppoll => row(None, "ppoll", Operand::PollList),
        libc::SYS_pselect6 => row(None, "pselect6", Operand::SelectSets),
        libc::SYS_futex => row(Some(CallKind::Lock), "futex", Operand::Futex),
        FUTEX_WAIT => lock("futex_wait"),
        libc::SYS_futex_waitv => lock("futex_waitv"),
        libc::SYS_semop => lock("semop"),
        libc::SYS_semtimedop => lock("semtimedop"),
        libc::SYS_io_uring_enter => other("io_uring_enter"),
        libc::SYS_rt_sigtimedwait => other("rt_sigtimedwait"),
        libc::SYS_rt_sigsuspend => other("rt_sigsuspend"),
        libc::SYS_restart_syscall => other("restart_syscall"),
        libc::SYS_mq_timedreceive => other("mq_timedreceive"),
        libc::SYS_mq_timedsend => other("mq_timedsend"),
        libc::SYS_msgrcv => other("msgrcv"),
        libc::SYS_msgsnd => other("msgsnd"),
        libc::SYS_getrandom => other("getrandom"),
        libc::SYS_membarrier => other("membarrier"),
        libc::SYS_sched_yield => other("sched_yield"),
        libc::SYS_execve => other("execve"),
        libc::SYS_exit => other("exit"),
        libc::SYS_exit_group => other("exit_group"),
        libc::SYS_mount => other("mount"),
        libc::SYS_umount2 => other("umount2"),
        libc::SYS_setns => other("setns"),
        libc::SYS_unshare => other("unshare"),
        libc::SYS_socket => other("socket"),
        libc::SYS_bpf => other("bpf"),
        libc::SYS_perf_event_open => other("perf_event_open"),
        libc::SYS_process_vm_readv => other("process_vm_readv"),
        _ => None,
    }
}

/// Calls on memory and on processes.
fn memory_or_process(number: i64) -> Option<SyscallInfo> {
    let memory = |name| row(Some(CallKind::Memory), name, Operand::Nothing);
    let child = |name, operand| row(Some(CallKind::ChildProcess), name, operand);
    match number {
        PAGE_FAULT => memory("page fault"),
        libc::SYS_mmap => memory("mmap"),
        libc::SYS_munmap => memory("munmap"),
        libc::SYS_mremap => memory("mremap"),
        libc::SYS_madvise => memory("madvise"),
        libc::SYS_mprotect => memory("mprotect"),
        libc::SYS_brk => memory("brk"),
        libc::SYS_mlock => memory("mlock"),
        libc::SYS_mlock2 => memory("mlock2"),
        libc::SYS_mlockall => memory("mlockall"),
        libc::SYS_munlock => memory("munlock"),
        libc::SYS_mincore => memory("mincore"),
        libc::SYS_wait4 => child("wait4", Operand::Process),
        libc::SYS_waitid => child("waitid", Operand::ProcessOr),
        // These also create threads.
        libc::SYS_clone => row(None, "clone", Operand::CloneFlags),
        libc::SYS_clone3 => row(None, "clone3", Operand::CloneStruct),
        _ => None,
    }
}

/// Calls that newer architectures do not have.
#[cfg(target_arch = "x86_64")]
fn legacy(number: i64) -> Option<SyscallInfo> {
    let file = |name| row(Some(CallKind::File), name, Operand::Path(0));
    let child = |name| row(Some(CallKind::ChildProcess), name, Operand::Nothing);
    match number {
        libc::SYS_poll => row(None, "poll", Operand::PollList),
        libc::SYS_select => row(None, "select", Operand::SelectSets),
        libc::SYS_epoll_wait => row(None, "epoll_wait", Operand::Descriptor(0)),
        libc::SYS_dup2 => row(Some(CallKind::Other), "dup2", Operand::Closing),
        libc::SYS_getdents => row(Some(CallKind::File), "getdents", Operand::Descriptor(0)),
        libc::SYS_open => file("open"),
        libc::SYS_creat => file("creat"),
        libc::SYS_stat => file("stat"),
        libc::SYS_lstat => file("lstat"),
        libc::SYS_access => file("access"),
        libc::SYS_mkdir => file("mkdir"),
        libc::SYS_rmdir => file("rmdir"),
        libc::SYS_unlink => file("unlink"),
        libc::SYS_rename => file("rename"),
        libc::SYS_link => file("link"),
        libc::SYS_symlink => file("symlink"),
        libc::SYS_readlink => file("readlink"),
        libc::SYS_chmod => file("chmod"),
        libc::SYS_chown => file("chown"),
        libc::SYS_fork => child("fork"),
        libc::SYS_vfork => child("vfork"),
        libc::SYS_pause => row(Some(CallKind::Other), "pause", Operand::Nothing),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_has_one_row() {
        let rows: Vec<_> = (-1..600).filter_map(syscall_info).collect();
        assert!(rows.len() > 120, "{}", rows.len());
        for (at, row) in rows.iter().enumerate() {
            assert!(
                rows[..at].iter().all(|before| before.name != row.name),
                "{row:?}"
            );
        }
        assert_eq!(syscall_info(-2), None);
        assert_eq!(syscall_info(i64::MAX), None);
        assert_eq!(syscall_info(i64::MIN), None);
    }
}
