use crate::model::{CallKind, Cause, ClosedSet};

/// All evidence that [`classify`] decides a cause from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Evidence {
    /// How the thread spent the observed part of the poll. `None` until there are two
    /// samples of its clocks.
    pub(crate) times: Option<TimeSplit>,
    /// The age of the poll, in nanoseconds.
    pub(crate) elapsed: u64,
    /// In nanoseconds.
    pub(crate) threshold: u64,
    pub(crate) counts: StateCounts,
    /// The watchdog itself was late recently, so CPU is contended.
    pub(crate) is_cpu_contended: bool,
    /// The stack shows that a host name is being resolved.
    pub(crate) in_name_lookup: bool,
    /// The stack shows `block_in_place`, or the worker has handed its core over.
    pub(crate) in_block_in_place: bool,
}

/// How a thread spent a period, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TimeSplit {
    pub(crate) elapsed: u64,
    /// Time on a CPU.
    pub(crate) on_cpu: u64,
    /// Time runnable but waiting for a CPU.
    pub(crate) waiting: u64,
}

impl TimeSplit {
    /// Returns the time neither on a CPU nor waiting for one.
    pub(crate) fn blocked(self) -> u64 {
        self.elapsed
            .saturating_sub(self.on_cpu)
            .saturating_sub(self.waiting)
    }

    /// Whether the thread was blocked for at least a quarter of the time.
    pub(crate) fn is_often_blocked(self) -> bool {
        self.blocked().saturating_mul(4) >= self.elapsed
    }
}

/// How often a thread was observed in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StateCounts {
    pub(crate) running: u32,
    /// Indexed by [`CallKind`].
    blocked: [u32; CallKind::COUNT],
}

impl StateCounts {
    pub(crate) fn add_running(&mut self) {
        self.running = self.running.saturating_add(1);
    }

    pub(crate) fn add_blocked(&mut self, kind: CallKind) {
        let count = &mut self.blocked[kind.index()];
        *count = count.saturating_add(1);
    }

    /// Returns the kind of call that the thread was blocked in most often.
    fn most_blocked(&self) -> Option<CallKind> {
        let counts = self.blocked.iter().zip(CallKind::ALL);
        let (count, kind) = counts.max_by_key(|(count, _)| **count)?;
        (*count > 0).then_some(*kind)
    }

    fn blocked(&self) -> u32 {
        self.blocked.iter().sum()
    }
}

/// This many thresholds of CPU time count as the handler's own work, however contended CPU is.
const OWN_WORK: u64 = 5;

/// Decides why a poll takes long.
///
/// - If the thread is blocked most of the time, the call that it is blocked in decides. Its
///   clocks tell how long it is blocked; without clocks, the number of observations does.
/// - A runnable thread is *computing* if it had a CPU for at least half of the time, or for
///   [`OWN_WORK`] thresholds.
/// - It is *preempted* if it had no CPU for half of the time, or if the poll would have
///   ended before the threshold without its waits for a CPU.
///
/// "The time" is the observed part of the poll. It is the whole poll if the observed part is
/// small, or if CPU is contended: then the thread may have waited before it was observed.
pub(crate) fn classify(evidence: &Evidence) -> Cause {
    if evidence.in_block_in_place {
        return Cause::BlockInPlace;
    }
    let counts = &evidence.counts;
    let blocked_in = counts.most_blocked();
    let mostly_seen_blocked = counts.blocked() > counts.running;
    let Some(times) = evidence.times else {
        return match blocked_in {
            Some(kind) if mostly_seen_blocked => cause_of_call(kind, evidence),
            _ => Cause::Unknown,
        };
    };
    // Unless the watchdog is late, it observes more than a third of a blocking poll.
    let is_small_part = times.elapsed.saturating_mul(3) < evidence.elapsed;
    let whole = if is_small_part || evidence.is_cpu_contended {
        evidence.elapsed
    } else {
        times.elapsed
    };
    let is_most = |time: u64| time.saturating_mul(2) >= whole;
    let is_busy = times.on_cpu.saturating_mul(2) >= times.elapsed;
    let is_idle = times.blocked().saturating_mul(2) >= times.elapsed;
    match blocked_in {
        // The kernel frees and faults in memory on the thread's own CPU time.
        Some(CallKind::Memory) if is_busy && mostly_seen_blocked => Cause::Memory,
        Some(kind) if !is_busy && (mostly_seen_blocked || is_idle) => cause_of_call(kind, evidence),
        None if was_delayed_by_contention(evidence.elapsed, times.waiting, evidence.threshold) => {
            Cause::Preempted
        }
        _ if is_most(times.on_cpu) => Cause::Cpu,
        _ if times.on_cpu >= evidence.threshold.saturating_mul(OWN_WORK) => Cause::Cpu,
        Some(kind) if counts.running == 0 => cause_of_call(kind, evidence),
        // The thread may have computed in the part of the poll that was not observed.
        _ if counts.running > 0 && is_most(times.elapsed - times.on_cpu.min(times.elapsed)) => {
            Cause::Preempted
        }
        _ => Cause::Unknown,
    }
}

/// Whether a poll waited for a CPU for at least a quarter of its time, and would have ended
/// before the threshold without that wait.
pub(crate) fn was_delayed_by_contention(elapsed: u64, waited: u64, threshold: u64) -> bool {
    waited.saturating_mul(4) >= elapsed && elapsed.saturating_sub(waited) < threshold
}

fn cause_of_call(kind: CallKind, evidence: &Evidence) -> Cause {
    match kind {
        CallKind::Network | CallKind::File | CallKind::Other if evidence.in_name_lookup => {
            Cause::Dns
        }
        CallKind::Sleep => Cause::Sleep,
        CallKind::File => Cause::FileIo,
        CallKind::Network => Cause::NetworkIo,
        CallKind::Lock => Cause::Lock,
        CallKind::ChildProcess => Cause::ChildProcess,
        CallKind::Memory => Cause::Memory,
        CallKind::Other => Cause::Syscall,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn case(times: Option<[u64; 3]>, running: u32, blocked: &[(CallKind, u32)]) -> Cause {
        classify(&evidence(times, running, blocked))
    }

    fn evidence(times: Option<[u64; 3]>, running: u32, blocked: &[(CallKind, u32)]) -> Evidence {
        let mut counts = StateCounts {
            running,
            ..StateCounts::default()
        };
        for (kind, times) in blocked {
            for _ in 0..*times {
                counts.add_blocked(*kind);
            }
        }
        Evidence {
            elapsed: times.map_or(0, |[elapsed, ..]| elapsed * MS),
            times: times.map(|[elapsed, cpu, wait]| TimeSplit {
                elapsed: elapsed * MS,
                on_cpu: cpu * MS,
                waiting: wait * MS,
            }),
            threshold: 10 * MS,
            counts,
            ..Evidence::default()
        }
    }

    #[test]
    fn a_blocked_thread_is_named_by_its_call() {
        for (kind, cause) in [
            (CallKind::Sleep, Cause::Sleep),
            (CallKind::File, Cause::FileIo),
            (CallKind::Network, Cause::NetworkIo),
            (CallKind::Lock, Cause::Lock),
            (CallKind::ChildProcess, Cause::ChildProcess),
            (CallKind::Memory, Cause::Memory),
            (CallKind::Other, Cause::Syscall),
        ] {
            assert_eq!(case(Some([10, 0, 0]), 0, &[(kind, 3)]), cause);
            assert_eq!(case(None, 0, &[(kind, 1)]), cause, "without clocks");
        }
    }

    #[test]
    fn clocks_outweigh_one_observation_of_a_call() {
        // A computation that logs.
        assert_eq!(
            case(Some([40, 36, 0]), 2, &[(CallKind::File, 1)]),
            Cause::Cpu
        );
        // A loop of short waits with little work between.
        assert_eq!(
            case(Some([40, 4, 0]), 2, &[(CallKind::Network, 2)]),
            Cause::NetworkIo
        );
        // The call seen most often counts.
        let mixed = [(CallKind::File, 1), (CallKind::Network, 4)];
        assert_eq!(case(Some([40, 2, 0]), 0, &mixed), Cause::NetworkIo);
    }

    #[test]
    fn a_runnable_thread_without_a_cpu_is_preempted() {
        assert_eq!(case(Some([30, 4, 0]), 3, &[]), Cause::Preempted);
        assert_eq!(case(Some([100, 25, 70]), 6, &[]), Cause::Preempted);
        // Half a second of CPU time is the handler's own work, even on a third of a core.
        assert_eq!(case(Some([1_500, 500, 900]), 50, &[]), Cause::Cpu);
        assert_eq!(case(Some([30, 28, 0]), 3, &[]), Cause::Cpu);
        // A sleep that had ended by the time a CPU was free.
        assert_eq!(
            case(Some([90, 1, 20]), 1, &[(CallKind::Sleep, 6)]),
            Cause::Sleep
        );
    }

    #[test]
    fn freeing_memory_is_distinguished_from_computing() {
        assert_eq!(
            case(Some([40, 39, 0]), 1, &[(CallKind::Memory, 4)]),
            Cause::Memory
        );
        assert_eq!(
            case(Some([40, 39, 0]), 5, &[(CallKind::Memory, 1)]),
            Cause::Cpu
        );
    }

    #[test]
    fn the_stack_decides_where_the_call_cannot() {
        let mut seen = evidence(Some([40, 0, 0]), 0, &[(CallKind::Network, 4)]);
        seen.in_name_lookup = true;
        assert_eq!(classify(&seen), Cause::Dns);
        seen.in_block_in_place = true;
        assert_eq!(classify(&seen), Cause::BlockInPlace);
    }

    #[test]
    fn a_small_observed_part_does_not_decide_a_long_poll() {
        let mut seen = evidence(Some([2, 2, 0]), 2, &[]);
        assert_eq!(classify(&seen), Cause::Cpu);
        seen.elapsed = 12 * MS;
        assert_eq!(classify(&seen), Cause::Unknown);
        // First seen at 7 ms.
        let mut seen = evidence(Some([5, 5, 0]), 2, &[]);
        seen.elapsed = 12 * MS;
        assert_eq!(classify(&seen), Cause::Cpu);
        seen.is_cpu_contended = true;
        assert_eq!(classify(&seen), Cause::Unknown);
    }

    #[test]
    fn without_evidence_the_cause_is_unknown() {
        assert_eq!(classify(&Evidence::default()), Cause::Unknown);
        assert_eq!(case(None, 2, &[]), Cause::Unknown);
        assert_eq!(case(Some([10, 0, 0]), 0, &[]), Cause::Unknown);
    }
}
