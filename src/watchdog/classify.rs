use super::Cause;
use crate::capture::CallKind;

/// Everything a cause is decided by.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    /// The part of the poll that was watched, and what of it was spent how;
    /// nanoseconds. `None` until there are two readings.
    pub(super) times: Option<Window>,
    /// Of the whole poll so far.
    pub(super) elapsed: u64,
    pub(super) threshold: u64,
    pub(super) looks: Looks,
    /// The watchdog itself was late of late.
    pub(super) is_machine_short: bool,
    /// The stack shows the resolution of a host name.
    pub(super) in_name_lookup: bool,
    /// The stack shows `block_in_place`, or the worker gave its core away.
    pub(super) in_block_in_place: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) elapsed: u64,
    pub(super) cpu: u64,
    pub(super) wait: u64,
}

impl Window {
    /// Neither on a processor nor waiting for one.
    pub(super) fn idle(self) -> u64 {
        self.elapsed
            .saturating_sub(self.cpu)
            .saturating_sub(self.wait)
    }

    /// Blocked for a good part of the time.
    pub(super) fn is_often_blocked(self) -> bool {
        self.idle().saturating_mul(4) >= self.elapsed
    }
}

/// How often the thread was seen at what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Looks {
    pub(super) running: u32,
    /// By [`CallKind`].
    pub(super) blocked: [u32; 7],
}

impl Looks {
    pub(super) fn add(&mut self, kind: CallKind) {
        let seen = &mut self.blocked[kind as usize];
        *seen = seen.saturating_add(1);
    }

    /// What it was most often blocked in.
    fn mostly(&self) -> Option<CallKind> {
        const KINDS: [CallKind; 7] = [
            CallKind::Sleep,
            CallKind::File,
            CallKind::Network,
            CallKind::Lock,
            CallKind::ChildProcess,
            CallKind::Memory,
            CallKind::Other,
        ];
        let seen = self.blocked.iter().zip(KINDS);
        let (times, kind) = seen.max_by_key(|(times, _)| **times)?;
        (*times > 0).then_some(kind)
    }

    fn blocked(&self) -> u32 {
        self.blocked.iter().sum()
    }
}

/// So many thresholds of CPU time are the handler's own doing, however short
/// of CPU the machine is.
const OWN_WORK: u64 = 5;

/// Why a poll is long.
///
/// What it was blocked in counts if it was blocked most of the time; whether
/// that is so is decided by the clocks where there are any, else by the looks.
/// A thread that runs or wants to is at work if it had the processor for at
/// least half of the time, or for long; and was kept from it if it had none for
/// half of the time, or would have been through before the threshold if it had
/// not waited. That is the time watched; where that is little of the poll,
/// or the machine is short of processors, so that it may have waited for one
/// before, it is the whole poll.
pub(super) fn classify(evidence: &Evidence) -> Cause {
    if evidence.in_block_in_place {
        return Cause::BlockInPlace;
    }
    let looks = &evidence.looks;
    let blocked = looks.mostly();
    let by_looks = looks.blocked() > looks.running;
    let Some(times) = evidence.times else {
        return match blocked {
            Some(kind) if by_looks => of_call(kind, evidence),
            _ => Cause::Unknown,
        };
    };
    // A tick before the threshold, at most, it is seen first.
    let is_glance = times.elapsed.saturating_mul(3) < evidence.elapsed;
    let whole = if is_glance || evidence.is_machine_short {
        evidence.elapsed
    } else {
        times.elapsed
    };
    let is_most = |time: u64| time.saturating_mul(2) >= whole;
    let busy = times.cpu.saturating_mul(2) >= times.elapsed;
    match blocked {
        // Freeing and faulting in runs in the kernel: the time is CPU time.
        Some(CallKind::Memory) if busy && by_looks => Cause::Memory,
        Some(kind) if !busy && (by_looks || times.idle().saturating_mul(2) >= times.elapsed) => {
            of_call(kind, evidence)
        }
        // It would be no long poll if it had got the processor it wanted.
        None if was_held_up(evidence.elapsed, times.wait, evidence.threshold) => Cause::Preempted,
        _ if is_most(times.cpu) => Cause::Cpu,
        _ if times.cpu >= evidence.threshold.saturating_mul(OWN_WORK) => Cause::Cpu,
        Some(kind) if looks.running == 0 => of_call(kind, evidence),
        // Who was watched for a part of the poll only may have worked before.
        _ if looks.running > 0 && is_most(times.elapsed - times.cpu.min(times.elapsed)) => {
            Cause::Preempted
        }
        _ => Cause::Unknown,
    }
}

/// Whether it would have been through before the threshold, had it not waited for
/// a processor for a good part of the time.
pub(super) fn was_held_up(elapsed: u64, waited: u64, threshold: u64) -> bool {
    waited.saturating_mul(4) >= elapsed && elapsed.saturating_sub(waited) < threshold
}

fn of_call(kind: CallKind, evidence: &Evidence) -> Cause {
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
        let mut looks = Looks {
            running,
            ..Looks::default()
        };
        for (kind, times) in blocked {
            for _ in 0..*times {
                looks.add(*kind);
            }
        }
        Evidence {
            elapsed: times.map_or(0, |[elapsed, ..]| elapsed * MS),
            times: times.map(|[elapsed, cpu, wait]| Window {
                elapsed: elapsed * MS,
                cpu: cpu * MS,
                wait: wait * MS,
            }),
            threshold: 10 * MS,
            looks,
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
    fn the_clocks_outweigh_a_look_that_met_a_call() {
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
    fn who_wants_a_processor_and_gets_none_is_preempted() {
        assert_eq!(case(Some([30, 4, 0]), 3, &[]), Cause::Preempted);
        assert_eq!(case(Some([100, 25, 70]), 6, &[]), Cause::Preempted);
        // Half a second of work is the handler's, even at a third of a core.
        assert_eq!(case(Some([1_500, 500, 900]), 50, &[]), Cause::Cpu);
        assert_eq!(case(Some([30, 28, 0]), 3, &[]), Cause::Cpu);
        // A sleep that was over when the processor was to be had at last.
        assert_eq!(
            case(Some([90, 1, 20]), 1, &[(CallKind::Sleep, 6)]),
            Cause::Sleep
        );
    }

    #[test]
    fn freeing_much_memory_is_told_from_computing() {
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
    fn a_short_glance_does_not_tell_a_long_poll() {
        let mut seen = evidence(Some([2, 2, 0]), 2, &[]);
        assert_eq!(classify(&seen), Cause::Cpu);
        seen.elapsed = 12 * MS;
        assert_eq!(classify(&seen), Cause::Unknown);
        // First seen at 7 ms.
        let mut seen = evidence(Some([5, 5, 0]), 2, &[]);
        seen.elapsed = 12 * MS;
        assert_eq!(classify(&seen), Cause::Cpu);
        seen.is_machine_short = true;
        assert_eq!(classify(&seen), Cause::Unknown);
    }

    #[test]
    fn no_evidence_is_no_cause() {
        assert_eq!(classify(&Evidence::default()), Cause::Unknown);
        assert_eq!(case(None, 2, &[]), Cause::Unknown);
        assert_eq!(case(Some([10, 0, 0]), 0, &[]), Cause::Unknown);
    }
}
