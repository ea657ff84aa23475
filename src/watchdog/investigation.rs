use std::sync::Arc;
use std::time::Duration;

use super::post_mortem::ClockSample;
use super::reader::Reader;
use super::round::Round;
use super::stack_collector::StackCollector;
use crate::capture::{Blocked, Call, Effort, RunState, Thread};
use crate::findings::{
    AlsoSeen, Diagnosis, Evidence, StateCounts, ThreadTimes, TimeSplit, classify,
};
use crate::model::{CallKind, Cause};
use crate::runtime::Workers;
use crate::slot::{InProgress, Slot};

/// Examines one poll, from the first round that finds it no longer short to its end.
#[derive(Debug)]
pub(super) struct Investigation {
    pub(super) sequence: u64,
    /// The thread's clocks when the investigation began, and at the last round.
    baseline: Option<ClockSample>,
    last_sample: Option<ClockSample>,
    /// The workers of the thread's runtime when the investigation began.
    workers: Option<Workers>,
    /// Since when the thread has waited for a CPU without interruption, in ticks.
    waiting_since: Option<u64>,
    counts: StateCounts,
    /// The call that was described last.
    call: Option<(Blocked, Call)>,
    stacks: StackCollector,
    diagnosis: Option<Arc<Diagnosis>>,
    /// The age of the poll when it was last diagnosed, in ticks.
    diagnosed_at: u64,
}

/// Over less time than this, in nanoseconds, the share of CPU time is not meaningful.
const MIN_WINDOW: u64 = 500_000;

fn workers(slot: &Slot, round: &Round<'_>) -> Option<Workers> {
    let runtime = slot.runtime();
    runtime.and_then(|id| round.state.runtimes.workers(id))
}

impl Investigation {
    /// Begins with a sample of the clocks, which later samples are compared with. Takes about
    /// 5 µs.
    pub(super) fn begin(
        poll: &InProgress,
        slot: &Slot,
        thread: &Thread,
        round: &Round<'_>,
        reader: &Reader,
    ) -> Self {
        let baseline = reader.sample_clocks(thread, round.clock());
        Self {
            sequence: poll.sequence,
            baseline,
            last_sample: baseline,
            workers: workers(slot, round),
            waiting_since: None,
            counts: StateCounts::default(),
            call: None,
            stacks: StackCollector::new(round.threshold()),
            diagnosis: None,
            diagnosed_at: 0,
        }
    }

    pub(super) fn diagnosis(&self) -> Option<Arc<Diagnosis>> {
        self.diagnosis.clone()
    }

    /// Returns the cause as last diagnosed, for a poll that has ended. If it was diagnosed
    /// before the threshold, the CPU time it had by then says nothing about the rest of it.
    pub(super) fn last_cause(&self, threshold: u64) -> Cause {
        let was_young = self.diagnosed_at < threshold;
        match self.diagnosis.as_deref().map(Diagnosis::cause) {
            None => Cause::Unknown,
            Some(Cause::Cpu | Cause::Preempted) if was_young => Cause::Unknown,
            Some(cause) => cause,
        }
    }

    /// Returns whether a stack was read whose functions are not named yet.
    pub(super) fn awaits_names(&self) -> bool {
        self.stacks.awaits_names()
    }

    /// Returns the thread's clocks when the investigation began.
    pub(super) fn baseline(&self) -> Option<ClockSample> {
        self.baseline
    }

    /// Observes the thread once more, and diagnoses the poll from all observations so far.
    pub(super) fn advance(
        &mut self,
        poll: &InProgress,
        slot: &Slot,
        thread: &Thread,
        round: &Round<'_>,
        reader: &mut Reader,
    ) {
        let elapsed = round.now.saturating_sub(poll.start);
        let Some(mut state) = reader.capturer.state(thread) else {
            return;
        };
        let times = self.times(state, thread, round, reader);
        if state == RunState::Running && times.is_some_and(TimeSplit::is_often_blocked) {
            state = reader.wait_until_blocked(thread);
        }
        let kind = match state {
            RunState::Running => None,
            RunState::Blocked(blocked) => self.kind(&blocked, thread, reader),
        };
        // If the poll has ended, the state may be that of a later poll.
        if slot.activity() != poll.sequence {
            return;
        }
        match (state, kind) {
            (RunState::Running, _) => self.counts.add_running(),
            (_, Some(kind)) => self.counts.add_blocked(kind),
            _ => {}
        }
        if self.stacks.awaits_names() {
            self.stacks.collect_pending(round, reader);
        } else if self.stacks.read_if_due(
            poll,
            elapsed,
            (state, kind),
            (slot, thread),
            round,
            reader,
        ) && let RunState::Blocked(blocked) = state
        {
            self.describe(&blocked, thread, reader);
        }
        let diagnosis = self.diagnose(elapsed, times, slot, round);
        // Only after its stack was due and is named. A poll that ends before that has no cause
        // in its slot, and is counted by the next round.
        if elapsed >= round.threshold() && !self.stacks.awaits_names() {
            slot.set_cause(poll.sequence, diagnosis.cause());
        }
        self.diagnosis = Some(Arc::new(diagnosis));
        self.diagnosed_at = elapsed;
    }

    /// Returns what kind of call the thread is blocked in. For most calls the number decides.
    /// For the rest a descriptor is resolved.
    fn kind(&self, blocked: &Blocked, thread: &Thread, reader: &mut Reader) -> Option<CallKind> {
        if let Some((last, call)) = &self.call
            && last == blocked
        {
            return Some(call.kind);
        }
        let capturer = &mut reader.capturer;
        capturer.kind(blocked).or_else(|| {
            let call = capturer.describe(thread, blocked, Effort::Little);
            call.map(|call| call.kind)
        })
    }

    /// Describes the call, unless it is the same as before.
    fn describe(&mut self, blocked: &Blocked, thread: &Thread, reader: &mut Reader) {
        if self.call.as_ref().is_none_or(|(last, _)| last != blocked) {
            let call = reader.capturer.describe(thread, blocked, Effort::Full);
            self.call = call.map(|call| (*blocked, call)).or(self.call.take());
        }
    }

    /// Returns whether every worker of the thread's runtime has made progress since the
    /// investigation began. Then the thread has handed its core over.
    fn has_handed_core_over(&self, slot: &Slot, round: &Round<'_>) -> bool {
        let before = self.workers.as_ref();
        let have_moved = before
            .zip(workers(slot, round))
            .is_some_and(|(before, now)| now.have_all_moved_since(before));
        // If the poll has ended, the progress may be that of its own worker.
        have_moved && slot.activity() == self.sequence
    }

    /// Returns how the thread has spent the time since the baseline.
    fn times(
        &mut self,
        state: RunState,
        thread: &Thread,
        round: &Round<'_>,
        reader: &Reader,
    ) -> Option<TimeSplit> {
        let clock = round.clock();
        let baseline = self.baseline?;
        let now = reader.sample_clocks(thread, clock)?;
        let last = self.last_sample.replace(now)?;
        // The kernel credits a wait when it ends. A runnable thread that has used no CPU
        // since the last sample has waited for at least that long.
        let waits = state == RunState::Running && now.clocks.on_cpu == last.clocks.on_cpu;
        self.waiting_since = waits.then(|| self.waiting_since.unwrap_or(last.at));
        let uncredited = self
            .waiting_since
            .map_or(0, |since| now.at.saturating_sub(since));
        let mut times = baseline.until(&now, clock);
        times.waiting += clock.nanos(uncredited);
        (times.elapsed >= MIN_WINDOW).then_some(times)
    }

    fn diagnose(
        &self,
        elapsed: u64,
        times: Option<TimeSplit>,
        slot: &Slot,
        round: &Round<'_>,
    ) -> Diagnosis {
        let clock = round.clock();
        let hints = self.stacks.hints();
        let evidence = Evidence {
            times,
            elapsed: clock.nanos(elapsed),
            threshold: clock.nanos(round.threshold()),
            counts: self.counts,
            is_cpu_contended: round.is_cpu_contended,
            in_name_lookup: hints.in_name_lookup,
            in_block_in_place: hints.in_block_in_place
                || (!self.stacks.shows_inlined() && self.has_handed_core_over(slot, round)),
        };
        let cause = classify(&evidence);
        // Of the stacks that show the cause, take the one that was seen most often.
        let seen = self.stacks.seen();
        let shown = seen
            .iter()
            .filter(|seen| cause_of_stack(seen.kind, &evidence) == cause)
            .max_by_key(|seen| seen.times)
            .map(|seen| &seen.stack);
        let also = seen
            .iter()
            .map(|seen| AlsoSeen {
                cause: cause_of_stack(seen.kind, &evidence),
                place: seen.stack.place.clone(),
            })
            .filter(|also| {
                also.cause != cause || shown.is_some_and(|shown| shown.place != also.place)
            })
            .collect();
        let is_call = !matches!(cause, Cause::Cpu | Cause::Preempted | Cause::Unknown);
        let call = self.call.as_ref().filter(|_| is_call);
        Diagnosis {
            cause: Some(cause),
            call: call.map(|(_, call)| Arc::clone(&call.text)),
            stack: shown.cloned(),
            times: times.map(|times| ThreadTimes {
                on_cpu: Duration::from_nanos(times.on_cpu),
                waiting: Duration::from_nanos(times.waiting),
                blocked: Duration::from_nanos(times.blocked()),
            }),
            also,
            lateness: round.lateness,
        }
    }
}

/// Returns the cause that a stack shows by itself, by the kind of call the thread was blocked
/// in.
fn cause_of_stack(kind: Option<CallKind>, evidence: &Evidence) -> Cause {
    let Some(kind) = kind else {
        return Cause::Cpu;
    };
    let mut counts = StateCounts::default();
    counts.add_blocked(kind);
    classify(&Evidence {
        times: None,
        counts,
        ..*evidence
    })
}
