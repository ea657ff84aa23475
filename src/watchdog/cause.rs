use std::fmt;

use crate::recorder::{CAUSES, CauseId};

/// Why a poll was long. A closed set: the values of the label `cause`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Cause {
    /// Blocked in a sleeping call.
    Sleep,
    /// Blocked on a file, a pipe or a terminal, or on the disk.
    FileIo,
    /// Blocked on a socket.
    NetworkIo,
    /// Blocked in the resolution of a host name.
    Dns,
    /// Blocked on another thread: a mutex, a condition variable, a channel, a
    /// join, a parked thread.
    Lock,
    /// Blocked on a child process: its start, its output or its end.
    ChildProcess,
    /// On the processor for most of the time it demanded.
    Cpu,
    /// Held up by memory: a page fault, or a mapping being made or undone.
    Memory,
    /// Blocked in another system call; the finding names it.
    Syscall,
    /// Ready to run, and without a processor: the machine or the cgroup was
    /// short of CPU. Not the handler's fault.
    Preempted,
    /// Inside `tokio::task::block_in_place`: the worker has handed its tasks
    /// over, so nobody waits for it.
    BlockInPlace,
    /// Ended before it was looked at, or there is no evidence on this platform.
    Unknown,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; CAUSES] = [
        Self::Sleep,
        Self::FileIo,
        Self::NetworkIo,
        Self::Dns,
        Self::Lock,
        Self::ChildProcess,
        Self::Cpu,
        Self::Memory,
        Self::Syscall,
        Self::Preempted,
        Self::BlockInPlace,
        Self::Unknown,
    ];

    /// The word used in labels, log events and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sleep => "sleep",
            Self::FileIo => "file_io",
            Self::NetworkIo => "network_io",
            Self::Dns => "dns",
            Self::Lock => "lock",
            Self::ChildProcess => "child_process",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Syscall => "syscall",
            Self::Preempted => "preempted",
            Self::BlockInPlace => "block_in_place",
            Self::Unknown => "unknown",
        }
    }

    /// Its place in [`ALL`](Self::ALL), as recorded.
    pub(crate) const fn id(self) -> usize {
        self as usize
    }

    /// The cause of a recorded id.
    pub(crate) fn from_id(id: CauseId) -> Self {
        let found = Self::ALL.get(usize::from(id.0));
        found.copied().unwrap_or(Self::Unknown)
    }

    /// Whether the handler's own code is to blame.
    pub(crate) const fn blames_handler(self) -> bool {
        !matches!(self, Self::Preempted | Self::BlockInPlace | Self::Unknown)
    }
}

impl From<Cause> for CauseId {
    fn from(cause: Cause) -> Self {
        Self(cause as u8)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
