use crate::model::Cause;

/// Returns what to do about a cause, as one sentence that names the replacement.
pub(super) const fn advice(cause: Cause) -> &'static str {
    match cause {
        Cause::Sleep => {
            "replace std::thread::sleep with tokio::time::sleep(..).await, which occupies no thread"
        }
        Cause::FileIo => {
            "use tokio::fs, or move the file work into spawn_blocking; for a pipe use tokio::net::unix::pipe, for a terminal tokio::io"
        }
        Cause::NetworkIo => {
            "use an async client (reqwest, hyper, tokio-postgres, redis with its tokio feature); call a synchronous SDK that has none from spawn_blocking"
        }
        Cause::Dns => {
            "resolve names with tokio::net::lookup_host, or pass the host name to an async client"
        }
        Cause::Lock => {
            "hold the lock for a shorter time, and never during slow work; to hold it across an await, or to wait for a message or another thread, use tokio::sync (Mutex, mpsc, oneshot, Notify)"
        }
        Cause::ChildProcess => "use tokio::process::Command and await its output() or wait()",
        Cause::Cpu => {
            "move the computation to a pool sized to the cores (rayon, with the result sent through a oneshot channel) or to a job queue; use spawn_blocking for short bursts, and tokio::task::yield_now between steps of work that has to stay"
        }
        Cause::Memory => {
            "build and drop large structures inside spawn_blocking, or in smaller steps; access memory-mapped files only from spawn_blocking"
        }
        Cause::Syscall => "move the call into spawn_blocking",
        Cause::Preempted => {
            "give the process more CPU (raise its cgroup's quota, lower the machine's load); the handler needs no change"
        }
        Cause::BlockInPlace => {
            "no other task waits for it, but each such call occupies a pool thread; spawn_blocking does the same within the limit of the pool"
        }
        Cause::Unknown => {
            "the poll ended before it was examined, or threads cannot be read here (see the label capture of build_info)"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_advice_of_its_own() {
        let mut all: Vec<_> = Cause::ALL.iter().copied().map(advice).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), Cause::ALL.len());
    }
}
