closed_set! {
    /// What a blocked system call waits for, as far as the kernel tells. Decided before
    /// the stack is read.
    pub(crate) enum CallKind {
        Sleep = "sleep",
        File = "file",
        Network = "network",
        Lock = "lock",
        ChildProcess = "child_process",
        Memory = "memory",
        Other = "other",
    }
}
