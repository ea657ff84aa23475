use std::sync::Arc;

use super::descriptor::{self, Descriptor, End};
use super::memory::{self as arguments, First, Memory};
use super::pipe_peer;
use super::sockets::Sockets;
use super::table::{Operand, SyscallInfo, syscall_info};
use crate::capture::{Blocked, Call, Effort};
use crate::model::CallKind;

/// Returns the kind of a call if its number and arguments decide it, without reading anything.
/// It is then the kind that [`describe`] returns. `None` if a descriptor or memory decides.
pub(crate) fn kind_by_number(number: i64, args: [u64; 6]) -> Option<CallKind> {
    syscall_info(number).map_or(Some(CallKind::Other), |known| {
        kind_by_arguments(&known, &args)
    })
}

/// Describes a call that thread `tid` of this process is blocked in.
///
/// What cannot be read is omitted. `memory` fills its second argument with the bytes at the
/// address in its first, and returns false if it cannot.
pub(crate) fn describe(
    number: i64,
    args: [u64; 6],
    tid: i32,
    memory: &impl Fn(u64, &mut [u8]) -> bool,
    sockets: &mut Sockets,
    effort: Effort,
) -> Call {
    let Some(known) = syscall_info(number) else {
        return Call {
            kind: CallKind::Other,
            text: format!("system call {number}").into(),
        };
    };
    let mut describer = Describer {
        effort,
        known,
        args,
        tid,
        memory,
        sockets,
    };
    let (by_operand, operand) = describer.operand();
    let kind = kind_by_arguments(&known, &args)
        .or(by_operand)
        .unwrap_or(CallKind::Other);
    let text: Arc<str> = match operand {
        Some(operand) => format!("{}({operand})", known.name).into(),
        None => known.name.into(),
    };
    Call { kind, text }
}

const CLONE_THREAD: u64 = libc::CLONE_THREAD as u64;

fn kind_by_arguments(known: &SyscallInfo, args: &[u64; 6]) -> Option<CallKind> {
    let empty = || {
        if has_timeout(known, args) {
            CallKind::Sleep
        } else {
            CallKind::Other
        }
    };
    match known.operand {
        Operand::PollList => (args[1] == 0).then(empty),
        Operand::SelectSets => (args[0] == 0 || args[1..4] == [0; 3]).then(empty),
        Operand::Control => {
            let waits = matches!(args[1] as i32, libc::F_SETLKW | libc::F_OFD_SETLKW);
            waits.then_some(CallKind::File)
        }
        Operand::CloneFlags => Some(kind_of_clone(args[0])),
        _ => known.kind,
    }
}

/// Returns whether a wait for several descriptors has a time limit.
fn has_timeout(known: &SyscallInfo, args: &[u64; 6]) -> bool {
    match known.operand {
        Operand::PollList if known.name == "poll" => args[2] as i32 >= 0,
        Operand::PollList => args[2] != 0,
        _ => args[4] != 0,
    }
}

fn kind_of_clone(flags: u64) -> CallKind {
    if flags & CLONE_THREAD != 0 {
        CallKind::Other
    } else {
        CallKind::ChildProcess
    }
}

/// The kind by the operand, and the operand as text, as far as either is known.
type Described = (Option<CallKind>, Option<String>);

struct Describer<'a, M> {
    known: SyscallInfo,
    args: [u64; 6],
    tid: i32,
    memory: &'a M,
    sockets: &'a mut Sockets,
    effort: Effort,
}

impl<M: Memory> Describer<'_, M> {
    fn operand(&mut self) -> Described {
        let args = self.args;
        match self.known.operand {
            Operand::Nothing => (None, None),
            Operand::Descriptor(at) => match args.get(at) {
                Some(number) => self.descriptor(*number as i32),
                None => (None, None),
            },
            Operand::Closing => (None, Some(format!("fd {}", args[0] as i32))),
            Operand::Control => self.descriptor(args[0] as i32),
            Operand::Address(at, length) => self.address(at, length),
            Operand::Path(at) => (None, self.path(at)),
            Operand::PathAt => match self.path(1) {
                Some(path) if path.is_empty() => self.descriptor(args[0] as i32),
                path => (None, path),
            },
            Operand::PollList => self.first(arguments::first_polled(args[0], args[1], self.memory)),
            Operand::SelectSets => {
                let sets = [args[1], args[2], args[3]];
                self.first(arguments::first_selected(args[0], sets, self.memory))
            }
            Operand::Futex => (None, futex(args[1]).map(str::to_owned)),
            Operand::Process => (None, Some(process(args[0] as i32))),
            Operand::ProcessOr => (None, self.process_or(args[0], args[1] as i32)),
            Operand::CloneFlags => (None, clone(args[0])),
            Operand::CloneStruct => match arguments::word(args[0], self.memory) {
                Some(flags) => (Some(kind_of_clone(flags)), clone(flags)),
                // Probably a process, because creating a thread takes little time.
                None => (Some(CallKind::ChildProcess), None),
            },
        }
    }

    fn first(&mut self, first: First) -> Described {
        match first {
            First::Descriptor(number) => self.descriptor(number),
            First::Nothing => {
                let sleeps = has_timeout(&self.known, &self.args);
                (
                    sleeps.then_some(CallKind::Sleep),
                    Some("no descriptors".to_owned()),
                )
            }
            First::Unknown => (None, None),
        }
    }

    fn descriptor(&mut self, number: i32) -> Described {
        let Some(found) = Descriptor::resolve(self.tid, number) else {
            return (None, Some(format!("fd {number}")));
        };
        let (kind, what) = match found {
            Descriptor::File(path) | Descriptor::Tty(path) => (CallKind::File, path),
            Descriptor::Pipe { inode, end } => self.pipe(inode, end),
            Descriptor::Socket { inode } => {
                let socket = self.sockets.find(self.tid, number, inode, self.effort);
                let text = socket.map_or("socket".to_owned(), |socket| socket.to_string());
                (CallKind::Network, text)
            }
            Descriptor::Timerfd => (CallKind::Sleep, "timer".to_owned()),
            Descriptor::Eventfd => (CallKind::Lock, "eventfd".to_owned()),
            Descriptor::Epoll => self.epoll(number),
            Descriptor::Process(found) => {
                let what = found.map_or("process".to_owned(), process);
                (CallKind::ChildProcess, what)
            }
            Descriptor::Other(name) => (CallKind::Other, name),
        };
        (Some(kind), Some(format!("fd {number}, {what}")))
    }

    fn pipe(&self, inode: u64, end: End) -> (CallKind, String) {
        match pipe_peer::child_behind(self.tid, inode, end) {
            Some(child) => {
                let direction = if end == End::Writes { "to" } else { "from" };
                (
                    CallKind::ChildProcess,
                    format!("pipe {direction} child {child}"),
                )
            }
            None => (CallKind::File, "pipe".to_owned()),
        }
    }

    fn epoll(&mut self, number: i32) -> (CallKind, String) {
        /// For each of them the kernel's tables may have to be read.
        const MAX_SOCKETS: usize = 8;
        let socket = descriptor::watched_sockets(self.tid, number)
            .take(MAX_SOCKETS)
            // Whatever the effort, because the sockets decide the kind.
            .filter_map(|(target, inode)| self.sockets.find(self.tid, target, inode, Effort::Full))
            // Every tokio runtime watches a socket pair for signals.
            .find(|socket| !socket.is_nameless_unix());
        match socket {
            Some(socket) => (CallKind::Network, format!("epoll with {socket}")),
            None => (CallKind::Other, "epoll".to_owned()),
        }
    }

    /// Describes a socket by the address in the call. A socket that is not connected yet has no
    /// other peer.
    fn address(&mut self, at: usize, length: usize) -> Described {
        let number = self.args[0] as i32;
        let address = self.args.get(at).zip(self.args.get(length));
        let address = address.and_then(|(at, length)| {
            arguments::socket_address(*at, *length & u64::from(u32::MAX), self.memory)
        });
        let Some(address) = address else {
            return self.descriptor(number);
        };
        let name = match Descriptor::resolve(self.tid, number) {
            Some(Descriptor::Socket { inode }) => {
                self.sockets.find(self.tid, number, inode, self.effort)
            }
            _ => None,
        };
        let name = name.map_or("socket", |socket| socket.name);
        (None, Some(format!("fd {number}, {name} to {address}")))
    }

    fn path(&self, at: usize) -> Option<String> {
        arguments::path(*self.args.get(at)?, self.memory)
    }

    fn process_or(&self, what: u64, number: i32) -> Option<String> {
        match what as libc::idtype_t {
            libc::P_ALL => Some(process(-1)),
            libc::P_PID => Some(process(number)),
            libc::P_PGID => Some(process(number.checked_neg()?)),
            libc::P_PIDFD => descriptor::process(self.tid, number).map(process),
            _ => None,
        }
    }
}

/// Describes a process number in the encoding of waitpid(2).
fn process(number: i32) -> String {
    match number {
        1.. => format!("pid {number}"),
        -1 => "any child".to_owned(),
        0 => "own group".to_owned(),
        _ => format!("group {}", number.unsigned_abs()),
    }
}

fn clone(flags: u64) -> Option<String> {
    (flags & CLONE_THREAD != 0).then(|| "thread".to_owned())
}

fn futex(operation: u64) -> Option<&'static str> {
    /// These do not change the operation.
    const FLAGS: i32 = libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME;
    const LOCK_PI2: i32 = 13;
    match operation as i32 & !FLAGS {
        libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET | libc::FUTEX_WAIT_REQUEUE_PI => Some("wait"),
        libc::FUTEX_LOCK_PI | LOCK_PI2 => Some("lock"),
        libc::FUTEX_WAKE | libc::FUTEX_WAKE_OP | libc::FUTEX_WAKE_BITSET => Some("wake"),
        libc::FUTEX_REQUEUE | libc::FUTEX_CMP_REQUEUE => Some("requeue"),
        libc::FUTEX_UNLOCK_PI => Some("unlock"),
        _ => None,
    }
}

/// Returns whether a wait ends by itself, by its arguments. A page fault does. The time limit of
/// a socket option is not in the arguments.
pub(crate) fn has_time_limit(blocked: &Blocked) -> bool {
    let [_, _, third, fourth, fifth, _] = blocked.arguments;
    let is_limited = |millis: u64| millis as i32 >= 0;
    match blocked.number {
        -1 | libc::SYS_nanosleep | libc::SYS_clock_nanosleep => true,
        libc::SYS_futex | libc::SYS_rt_sigtimedwait => match blocked.number {
            libc::SYS_futex => fourth != 0,
            _ => third != 0,
        },
        libc::SYS_ppoll => third != 0,
        libc::SYS_pselect6 => fifth != 0,
        libc::SYS_epoll_pwait => is_limited(fourth),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll => is_limited(third),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_select => fifth != 0,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_epoll_wait => is_limited(fourth),
        _ => false,
    }
}

#[cfg(test)]
#[path = "describe_tests.rs"]
pub(crate) mod tests;
#[cfg(test)]
#[path = "wording_tests.rs"]
mod wording_tests;
