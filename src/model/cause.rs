closed_set! {
    /// Why a poll took long. A closed set: the values of the label `cause`.
    #[non_exhaustive]
    pub enum Cause {
        /// Blocked in a sleeping call.
        Sleep = "sleep",
        /// Blocked on a file, a pipe or a terminal, or on the disk.
        FileIo = "file_io",
        /// Blocked on a socket.
        NetworkIo = "network_io",
        /// Blocked while a host name was being resolved.
        Dns = "dns",
        /// Blocked on another thread: a mutex, a condition variable, a channel, a join
        /// or a parked thread.
        Lock = "lock",
        /// Blocked on a child process: its start, its output or its exit.
        ChildProcess = "child_process",
        /// On the CPU for most of the time it demanded.
        Cpu = "cpu",
        /// Delayed by memory management: a page fault, or a mapping being created or
        /// removed.
        Memory = "memory",
        /// Blocked in another system call; the finding names it.
        Syscall = "syscall",
        /// Runnable but not scheduled: the machine or the cgroup was short of CPU. Not
        /// the handler's fault.
        Preempted = "preempted",
        /// Inside `tokio::task::block_in_place`: the worker has handed its tasks to
        /// another thread, so nothing waits for it.
        BlockInPlace = "block_in_place",
        /// The poll ended before it was examined, or this platform offers no evidence.
        Unknown = "unknown",
    }
}

impl Cause {
    /// Returns whether the handler's own code caused the delay.
    pub(crate) const fn blames_handler(self) -> bool {
        !matches!(self, Self::Preempted | Self::BlockInPlace | Self::Unknown)
    }
}
