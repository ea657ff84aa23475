use std::sync::Arc;

use super::descriptor::{Descriptor, Sockets, child_with_pipe};
use super::{Blocked, Call, CallKind};

/// What is remembered about the service's descriptors.
#[derive(Debug, Default)]
pub(super) struct Descriptors {
    sockets: Sockets,
}

/// Reads memory of this process, all or nothing.
pub(super) trait ReadMemory: Fn(u64, &mut [u8]) -> bool {}
impl<F: Fn(u64, &mut [u8]) -> bool> ReadMemory for F {}

/// Where a call's descriptor or path is to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operand {
    Nothing,
    /// The descriptor itself, as this argument.
    Descriptor(usize),
    /// An array of `struct pollfd` and its length.
    PollList,
    /// Three sets of bits, and one more than the highest bit.
    SelectSets,
    /// A path, as this argument.
    Path(usize),
    /// A process's number, as this argument.
    Process(usize),
}

/// Kind (where it does not depend on a descriptor), name and operand.
type Known = (Option<CallKind>, &'static str, Operand);

const PAGE_FAULT: i64 = -1;

fn known(number: i64) -> Option<Known> {
    use CallKind::{ChildProcess, File, Lock, Memory, Network, Sleep};
    use Operand::{Descriptor as D, Nothing, Path, PollList, Process, SelectSets};
    #[cfg(target_arch = "x86_64")]
    let old = match number {
        libc::SYS_poll => Some((None, "poll", PollList)),
        libc::SYS_select => Some((None, "select", SelectSets)),
        libc::SYS_epoll_wait => Some((None, "epoll_wait", D(0))),
        libc::SYS_open => Some((Some(File), "open", Path(0))),
        libc::SYS_stat => Some((Some(File), "stat", Path(0))),
        libc::SYS_lstat => Some((Some(File), "lstat", Path(0))),
        libc::SYS_access => Some((Some(File), "access", Path(0))),
        libc::SYS_mkdir => Some((Some(File), "mkdir", Path(0))),
        libc::SYS_rmdir => Some((Some(File), "rmdir", Path(0))),
        libc::SYS_unlink => Some((Some(File), "unlink", Path(0))),
        libc::SYS_rename => Some((Some(File), "rename", Path(0))),
        libc::SYS_readlink => Some((Some(File), "readlink", Path(0))),
        libc::SYS_creat => Some((Some(File), "creat", Path(0))),
        libc::SYS_getdents => Some((Some(File), "getdents", D(0))),
        libc::SYS_fork => Some((Some(ChildProcess), "fork", Nothing)),
        libc::SYS_vfork => Some((Some(ChildProcess), "vfork", Nothing)),
        libc::SYS_pause => Some((None, "pause", Nothing)),
        _ => None,
    };
    #[cfg(not(target_arch = "x86_64"))]
    let old = None;
    if old.is_some() {
        return old;
    }
    Some(match number {
        PAGE_FAULT => (Some(Memory), "page fault", Nothing),
        libc::SYS_nanosleep => (Some(Sleep), "nanosleep", Nothing),
        libc::SYS_clock_nanosleep => (Some(Sleep), "clock_nanosleep", Nothing),
        libc::SYS_read => (None, "read", D(0)),
        libc::SYS_readv => (None, "readv", D(0)),
        libc::SYS_write => (None, "write", D(0)),
        libc::SYS_writev => (None, "writev", D(0)),
        libc::SYS_ioctl => (None, "ioctl", D(0)),
        libc::SYS_sendfile => (None, "sendfile", D(0)),
        libc::SYS_splice => (None, "splice", D(0)),
        libc::SYS_close => (None, "close", D(0)),
        libc::SYS_fcntl => (None, "fcntl", D(0)),
        libc::SYS_pread64 => (Some(File), "pread", D(0)),
        libc::SYS_preadv => (Some(File), "preadv", D(0)),
        libc::SYS_preadv2 => (Some(File), "preadv2", D(0)),
        libc::SYS_pwrite64 => (Some(File), "pwrite", D(0)),
        libc::SYS_pwritev => (Some(File), "pwritev", D(0)),
        libc::SYS_pwritev2 => (Some(File), "pwritev2", D(0)),
        libc::SYS_copy_file_range => (Some(File), "copy_file_range", D(0)),
        libc::SYS_fsync => (Some(File), "fsync", D(0)),
        libc::SYS_fdatasync => (Some(File), "fdatasync", D(0)),
        libc::SYS_sync_file_range => (Some(File), "sync_file_range", D(0)),
        libc::SYS_syncfs => (Some(File), "syncfs", D(0)),
        libc::SYS_sync => (Some(File), "sync", Nothing),
        libc::SYS_flock => (Some(File), "flock", D(0)),
        libc::SYS_ftruncate => (Some(File), "ftruncate", D(0)),
        libc::SYS_fallocate => (Some(File), "fallocate", D(0)),
        libc::SYS_fstat => (Some(File), "fstat", D(0)),
        libc::SYS_getdents64 => (Some(File), "getdents64", D(0)),
        libc::SYS_openat => (Some(File), "openat", Path(1)),
        libc::SYS_openat2 => (Some(File), "openat2", Path(1)),
        libc::SYS_newfstatat => (Some(File), "newfstatat", Path(1)),
        libc::SYS_statx => (Some(File), "statx", Path(1)),
        libc::SYS_unlinkat => (Some(File), "unlinkat", Path(1)),
        libc::SYS_renameat => (Some(File), "renameat", Path(1)),
        libc::SYS_renameat2 => (Some(File), "renameat2", Path(1)),
        libc::SYS_mkdirat => (Some(File), "mkdirat", Path(1)),
        libc::SYS_readlinkat => (Some(File), "readlinkat", Path(1)),
        libc::SYS_faccessat => (Some(File), "faccessat", Path(1)),
        libc::SYS_truncate => (Some(File), "truncate", Path(0)),
        libc::SYS_msync => (Some(File), "msync", Nothing),
        libc::SYS_io_getevents => (Some(File), "io_getevents", Nothing),
        libc::SYS_recvfrom => (Some(Network), "recvfrom", D(0)),
        libc::SYS_recvmsg => (Some(Network), "recvmsg", D(0)),
        libc::SYS_recvmmsg => (Some(Network), "recvmmsg", D(0)),
        libc::SYS_sendto => (Some(Network), "sendto", D(0)),
        libc::SYS_sendmsg => (Some(Network), "sendmsg", D(0)),
        libc::SYS_sendmmsg => (Some(Network), "sendmmsg", D(0)),
        libc::SYS_connect => (Some(Network), "connect", D(0)),
        libc::SYS_accept => (Some(Network), "accept", D(0)),
        libc::SYS_accept4 => (Some(Network), "accept4", D(0)),
        libc::SYS_shutdown => (Some(Network), "shutdown", D(0)),
        libc::SYS_ppoll => (None, "ppoll", PollList),
        libc::SYS_pselect6 => (None, "pselect6", SelectSets),
        libc::SYS_epoll_pwait => (None, "epoll_pwait", D(0)),
        libc::SYS_epoll_pwait2 => (None, "epoll_pwait2", D(0)),
        libc::SYS_futex => (Some(Lock), "futex", Nothing),
        libc::SYS_futex_waitv => (Some(Lock), "futex_waitv", Nothing),
        libc::SYS_semtimedop => (Some(Lock), "semtimedop", Nothing),
        libc::SYS_semop => (Some(Lock), "semop", Nothing),
        libc::SYS_wait4 => (Some(ChildProcess), "wait4", Process(0)),
        libc::SYS_waitid => (Some(ChildProcess), "waitid", Process(1)),
        libc::SYS_clone => (Some(ChildProcess), "clone", Nothing),
        libc::SYS_clone3 => (Some(ChildProcess), "clone3", Nothing),
        libc::SYS_execve => (Some(ChildProcess), "execve", Nothing),
        libc::SYS_mmap => (Some(Memory), "mmap", Nothing),
        libc::SYS_munmap => (Some(Memory), "munmap", Nothing),
        libc::SYS_mremap => (Some(Memory), "mremap", Nothing),
        libc::SYS_madvise => (Some(Memory), "madvise", Nothing),
        libc::SYS_mprotect => (Some(Memory), "mprotect", Nothing),
        libc::SYS_brk => (Some(Memory), "brk", Nothing),
        libc::SYS_mlock => (Some(Memory), "mlock", Nothing),
        libc::SYS_getrandom => (None, "getrandom", Nothing),
        libc::SYS_rt_sigtimedwait => (None, "rt_sigtimedwait", Nothing),
        libc::SYS_rt_sigsuspend => (None, "rt_sigsuspend", Nothing),
        libc::SYS_io_uring_enter => (None, "io_uring_enter", Nothing),
        libc::SYS_membarrier => (None, "membarrier", Nothing),
        libc::SYS_setns => (None, "setns", Nothing),
        _ => return None,
    })
}

/// The descriptor a call is about.
fn descriptor(blocked: &Blocked, operand: Operand, memory: &impl ReadMemory) -> Option<u64> {
    let arguments = &blocked.arguments;
    match operand {
        Operand::Descriptor(at) => arguments.get(at).copied(),
        Operand::PollList if arguments[1] > 0 => {
            // `struct pollfd` begins with it.
            let mut first = [0; 4];
            let read = memory(arguments[0], &mut first);
            read.then(|| u64::from(u32::from_le_bytes(first)))
        }
        Operand::SelectSets => (1..=3).find_map(|set| {
            let mut bits = [0; 128];
            let address = *arguments.get(set)?;
            if address == 0 || !memory(address, &mut bits) {
                return None;
            }
            let highest = arguments[0].min(1024);
            (0..highest).find(|bit| bits[(bit / 8) as usize] >> (bit % 8) & 1 == 1)
        }),
        _ => None,
    }
}

/// Waits for nothing but time: no descriptor in the list.
fn is_timer(blocked: &Blocked, operand: Operand) -> bool {
    match operand {
        Operand::PollList => blocked.arguments[1] == 0,
        Operand::SelectSets => blocked.arguments[0] == 0 || blocked.arguments[1..4] == [0; 3],
        _ => false,
    }
}

fn of_descriptor(thread: i32, found: &Descriptor) -> CallKind {
    match found {
        Descriptor::Pipe(inode) if child_with_pipe(thread, *inode).is_some() => {
            CallKind::ChildProcess
        }
        Descriptor::File(_) | Descriptor::Terminal(_) | Descriptor::Pipe(_) => CallKind::File,
        Descriptor::Socket(_) => CallKind::Network,
        Descriptor::Timer => CallKind::Sleep,
        Descriptor::Event => CallKind::Lock,
        Descriptor::Epoll | Descriptor::Other(_) => CallKind::Other,
    }
}

/// What kind of call it is, without its words.
pub(super) fn kind(blocked: &Blocked, thread: i32, memory: &impl ReadMemory) -> Option<CallKind> {
    let Some((kind, _, operand)) = known(blocked.number) else {
        return Some(CallKind::Other);
    };
    if is_timer(blocked, operand) {
        return Some(CallKind::Sleep);
    }
    if kind.is_some() {
        return kind;
    }
    let Some(number) = descriptor(blocked, operand, memory) else {
        return Some(CallKind::Other);
    };
    let found = Descriptor::of(thread, number)?;
    Some(match found {
        Descriptor::Epoll if watches_socket(thread, number) => CallKind::Network,
        found => of_descriptor(thread, &found),
    })
}

/// A call in words, with what its descriptor is.
pub(super) fn describe(
    blocked: &Blocked,
    thread: i32,
    memory: &impl ReadMemory,
    descriptors: &mut Descriptors,
) -> Call {
    let kind = kind(blocked, thread, memory).unwrap_or(CallKind::Other);
    let Some((_, name, operand)) = known(blocked.number) else {
        let words = format!("system call {}", blocked.number).into();
        return Call { kind, words };
    };
    let operand = match operand {
        Operand::Path(at) => path(blocked.arguments[at], memory),
        Operand::Process(at) => match blocked.arguments[at] as i32 {
            process if process > 0 => Some(format!("pid {process}")),
            _ => Some("any child".to_owned()),
        },
        _ if is_timer(blocked, operand) => Some("no descriptors".to_owned()),
        _ => descriptor(blocked, operand, memory).map(|number| {
            let what = match Descriptor::of(thread, number) {
                None => return format!("fd {number}"),
                Some(Descriptor::File(path) | Descriptor::Terminal(path)) => path,
                Some(Descriptor::Pipe(inode)) => match child_with_pipe(thread, inode) {
                    Some(child) => format!("pipe of child {child}"),
                    None => "pipe".to_owned(),
                },
                Some(Descriptor::Socket(inode)) => descriptors.sockets.words(thread, inode),
                Some(Descriptor::Timer) => "timer".to_owned(),
                Some(Descriptor::Event) => "eventfd".to_owned(),
                Some(Descriptor::Epoll) => "epoll".to_owned(),
                Some(Descriptor::Other(link)) => link,
            };
            format!("fd {number}, {what}")
        }),
    };
    let words: Arc<str> = match operand {
        Some(operand) => format!("{name}({operand})").into(),
        None => name.into(),
    };
    Call { kind, words }
}

/// A path of the caller's, escaped.
fn path(address: u64, memory: &impl ReadMemory) -> Option<String> {
    const LONGEST: usize = 256;
    let mut bytes = Vec::new();
    // In small steps: the string may end just before memory does.
    while bytes.len() < LONGEST && !bytes.contains(&0) {
        let mut next = [0; 8];
        let at = address.checked_add(bytes.len() as u64)?;
        if memory(at, &mut next) {
            bytes.extend(next);
            continue;
        }
        let mut one = [0];
        if !memory(at, &mut one) {
            break;
        }
        bytes.extend(one);
    }
    let length = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(bytes.get(..length)?).into_owned();
    (!text.is_empty()).then(|| text.escape_debug().to_string())
}

/// Whether a socket is among what an epoll instance watches.
fn watches_socket(thread: i32, number: u64) -> bool {
    const MOST: usize = 64;
    let info = std::fs::read_to_string(format!("/proc/self/task/{thread}/fdinfo/{number}"));
    let info = info.unwrap_or_default();
    info.lines()
        .filter_map(|line| line.strip_prefix("tfd:")?.split_ascii_whitespace().next())
        .filter_map(|target| target.parse().ok())
        .take(MOST)
        .any(|target| matches!(Descriptor::of(thread, target), Some(Descriptor::Socket(_))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::State;
    use crate::capture::proc::ThreadFiles;
    use crate::sys::{memory, thread};

    fn read(address: u64, into: &mut [u8]) -> bool {
        memory::read_exact(address, into)
    }

    /// What a thread that runs `block` is seen blocked in, as soon as that is
    /// something `wanted`.
    fn seen(
        block: impl FnOnce() + Send,
        mut wanted: impl FnMut(&Call) -> bool,
        release: impl FnOnce(),
    ) -> Call {
        std::thread::scope(|scope| {
            let (tell, told) = std::sync::mpsc::channel();
            scope.spawn(move || {
                tell.send(thread::id()).unwrap();
                block();
            });
            let thread = told.recv().unwrap();
            let files = ThreadFiles::open(thread, true);
            let mut descriptors = Descriptors::default();
            let mut last = None;
            let found = (0..10_000).find_map(|_| {
                std::thread::sleep(std::time::Duration::from_millis(1));
                let Some(State::Blocked(blocked)) = files.state() else {
                    return None;
                };
                let call = describe(&blocked, thread, &read, &mut descriptors);
                last = Some(call.clone());
                wanted(&call).then_some(call)
            });
            release();
            found.unwrap_or_else(|| panic!("last seen in {last:?}"))
        })
    }

    fn kind_is(kind: CallKind) -> impl FnMut(&Call) -> bool {
        move |call| call.kind == kind
    }

    #[test]
    fn a_sleep_is_a_sleep() {
        let nap = || std::thread::sleep(std::time::Duration::from_millis(100));
        let call = seen(nap, kind_is(CallKind::Sleep), || ());
        assert_eq!(&*call.words, "clock_nanosleep");
    }

    #[test]
    fn a_socket_is_named_by_its_peer() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let client = std::net::TcpStream::connect(addr).unwrap();
        let (server, _) = listener.accept().unwrap();
        let wait = || {
            let _ = std::io::Read::read(&mut &client, &mut [0]);
        };
        let call = seen(wait, kind_is(CallKind::Network), || drop(server));
        assert!(call.words.starts_with("recvfrom(fd "), "{call:?}");
        assert!(
            call.words.contains(&format!("TCP socket to {addr}")),
            "{call:?}"
        );
    }

    #[test]
    fn a_child_is_named_by_its_pipe_and_its_number() {
        let run = || {
            let _ = std::process::Command::new("sleep").arg("0.2").output();
        };
        let call = seen(run, |call| call.words.contains("pipe of child"), || ());
        assert_eq!(call.kind, CallKind::ChildProcess);
        let wait = || {
            let _ = std::process::Command::new("sleep").arg("0.2").status();
        };
        let call = seen(wait, |call| call.words.contains("(pid "), || ());
        assert_eq!(call.kind, CallKind::ChildProcess);
    }

    #[test]
    fn a_channel_is_a_lock_and_a_pipe_a_file() {
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let wait = move || {
            let _ = gate.recv();
        };
        let call = seen(wait, kind_is(CallKind::Lock), || drop(open));
        assert_eq!(&*call.words, "futex");
        let (mut reader, writer) = std::io::pipe().unwrap();
        let wait = || {
            let _ = std::io::Read::read(&mut reader, &mut [0]);
        };
        let call = seen(wait, kind_is(CallKind::File), || drop(writer));
        assert!(call.words.ends_with("pipe)"), "{call:?}");
    }

    #[test]
    fn anything_else_is_named_by_its_number() {
        let blocked = Blocked {
            number: 999_999,
            arguments: [u64::MAX; 6],
            stack: 0,
            code: 0,
        };
        let call = describe(&blocked, 1, &read, &mut Descriptors::default());
        assert_eq!(&*call.words, "system call 999999");
        assert_eq!(call.kind, CallKind::Other);
        // Garbage for every call there is.
        for number in -2..500 {
            let blocked = Blocked { number, ..blocked };
            describe(&blocked, 1, &read, &mut Descriptors::default());
        }
    }
}
