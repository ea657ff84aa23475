use super::Cause;

/// What to do about a cause, as one sentence that names the replacement.
pub(super) const fn advice(cause: Cause) -> &'static str {
    match cause {
        Cause::Sleep => {
            "replace std::thread::sleep by tokio::time::sleep(..).await: a timer holds no thread"
        }
        Cause::FileIo => {
            "use tokio::fs, or move the file work into spawn_blocking; a pipe or terminal has an async counterpart in tokio::net::unix::pipe and tokio::io"
        }
        Cause::NetworkIo => {
            "use an async client (reqwest, hyper, tokio-postgres, redis with its tokio feature); a synchronous SDK that has none goes into spawn_blocking"
        }
        Cause::Dns => {
            "resolve with tokio::net::lookup_host, or hand host names to an async client that does"
        }
        Cause::Lock => {
            "hold the lock for less, and never across slow work; where it is held across an await, or a thread waits for a message or for another thread, use tokio::sync (Mutex, mpsc, oneshot, Notify)"
        }
        Cause::ChildProcess => "use tokio::process::Command, whose output() and wait() are awaited",
        Cause::Cpu => {
            "move the computation to a pool sized to the cores (rayon, answered through a oneshot channel) or to a job queue; spawn_blocking for short bursts; tokio::task::yield_now between pieces of work that must stay"
        }
        Cause::Memory => {
            "drop or fill large structures elsewhere (move them into spawn_blocking), or in smaller pieces; touch memory-mapped files from spawn_blocking only"
        }
        Cause::Syscall => "move the call into spawn_blocking",
        Cause::Preempted => {
            "give the process more CPU (its cgroup's quota, the machine's load); there is nothing to change in the handler"
        }
        Cause::BlockInPlace => {
            "nothing waits for it, but each such call costs a thread: spawn_blocking says the same with a bound"
        }
        Cause::Unknown => {
            "it ended before it was looked at, or threads cannot be read here (see capture in build_info)"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_advice_of_its_own() {
        let mut all: Vec<_> = Cause::ALL.into_iter().map(advice).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), Cause::ALL.len());
    }
}
