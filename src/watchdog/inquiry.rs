use std::sync::Arc;
use std::time::Duration;

use super::classify::{Evidence, Looks, Watched, classify};
use super::limit::CaptureLimit;
use super::{Cause, Times};
use crate::capture::{
    Blocked, Call, CallKind, Capturer, Clocks, Place, Result, Stack, State, Thread,
};
use crate::clock::Clock;
use crate::slot::{InProgress, Slot};

/// What is being found out about one poll, from the first tick that finds it
/// no longer short to its end.
#[derive(Debug)]
pub(super) struct Inquiry {
    pub(super) sequence: u64,
    /// When it began, in ticks, and the thread's clocks then.
    since: u64,
    baseline: Option<Clocks>,
    looks: Looks,
    /// Elapsed ticks at which the stack is looked at next.
    next_stack: u64,
    /// The call it was last described in.
    call: Option<(Blocked, Call)>,
    /// Distinct stacks, the latest last, with how often each was met.
    stacks: Vec<(Option<CallKind>, Arc<Stack>, u32)>,
    diagnosis: Option<Arc<Diagnosis>>,
}

/// What is known of a poll now.
#[derive(Clone, Debug, Default)]
pub(super) struct Diagnosis {
    pub(super) cause: Option<Cause>,
    pub(super) call: Option<Arc<str>>,
    pub(super) stack: Option<Arc<Stack>>,
    pub(super) times: Option<Times>,
    /// What else it was seen at.
    pub(super) also: Vec<(Cause, Option<Place>)>,
    pub(super) lateness: Duration,
}

impl Diagnosis {
    pub(super) fn cause(&self) -> Cause {
        self.cause.unwrap_or(Cause::Unknown)
    }
}

/// Different stacks of one poll that are kept.
const MAX_STACKS: usize = 4;

/// What a look works with.
pub(super) struct Tools<'t> {
    pub(super) capturer: &'t mut Capturer,
    pub(super) limit: &'t mut CaptureLimit,
    pub(super) clock: &'t Clock,
    /// In ticks.
    pub(super) threshold: u64,
    /// How late this look is.
    pub(super) lateness: Duration,
    /// Whether workers of tokio that stand still cannot be this thread.
    pub(super) gave_core_away: bool,
    /// Told how each attempt at a stack ended.
    pub(super) count: &'t dyn Fn(Result),
}

impl Inquiry {
    /// Reads the clocks to compare with. Costs about 5 µs.
    pub(super) fn open(poll: &InProgress, thread: &Thread, tools: &Tools<'_>) -> Self {
        Self {
            sequence: poll.sequence,
            since: tools.clock.ticks(),
            baseline: tools.capturer.clocks(thread),
            looks: Looks::default(),
            next_stack: tools.threshold,
            call: None,
            stacks: Vec::new(),
            diagnosis: None,
        }
    }

    /// The last diagnosis.
    pub(super) fn diagnosis(&self) -> Option<Arc<Diagnosis>> {
        self.diagnosis.clone()
    }

    /// Looks at the thread once and says what it makes of all looks so far.
    /// The stack is read when the poll has lasted 1, 2, 4, 8… thresholds.
    pub(super) fn look(
        &mut self,
        poll: &InProgress,
        elapsed: u64,
        slot: &Slot,
        thread: &mut Thread,
        tools: &mut Tools<'_>,
    ) {
        let Some(state) = tools.capturer.state(thread) else {
            return;
        };
        let wants_stack = elapsed >= self.next_stack;
        let mut kind = None;
        match state {
            State::Running => self.looks.running = self.looks.running.saturating_add(1),
            State::Blocked(blocked) => {
                kind = self.kind(&blocked, wants_stack, thread, tools);
                if let Some(kind) = kind {
                    self.looks.add(kind);
                }
            }
        }
        // It may be over, and what was seen another poll's.
        if slot.activity() != poll.sequence {
            return;
        }
        let times = self.times(thread, tools);
        // First of all: should it end while its stack is read, it is counted
        // under this.
        self.judge(poll, slot, times, tools);
        if wants_stack {
            while self.next_stack <= elapsed {
                self.next_stack = self.next_stack.saturating_mul(2).max(1);
            }
            self.take_stack(poll, kind, state, slot, thread, tools);
            self.judge(poll, slot, times, tools);
        }
    }

    /// What it is blocked in. Most calls tell by their number; for the rest a
    /// descriptor is resolved, once as long as nothing changes.
    fn kind(
        &mut self,
        blocked: &Blocked,
        in_words: bool,
        thread: &Thread,
        tools: &mut Tools<'_>,
    ) -> Option<CallKind> {
        if let Some((last, call)) = &self.call
            && last == blocked
        {
            return Some(call.kind);
        }
        let kind = tools.capturer.kind(blocked);
        if kind.is_some() && !in_words {
            return kind;
        }
        let call = tools.capturer.describe(thread, blocked)?;
        let kind = call.kind;
        self.call = Some((*blocked, call));
        Some(kind)
    }

    fn judge(&mut self, poll: &InProgress, slot: &Slot, times: Option<Watched>, tools: &Tools<'_>) {
        let diagnosis = self.diagnose(times, tools);
        slot.judge(poll.sequence, diagnosis.cause().into());
        self.diagnosis = Some(Arc::new(diagnosis));
    }

    fn take_stack(
        &mut self,
        poll: &InProgress,
        kind: Option<CallKind>,
        state: State,
        slot: &Slot,
        thread: &mut Thread,
        tools: &mut Tools<'_>,
    ) {
        let key = (poll.series, poll.phase, kind);
        let now = tools.clock.ticks();
        let taken = if tools.limit.allows(&key, now) {
            let is_same = || slot.activity() == poll.sequence;
            tools.capturer.stack(thread, state, poll.mark, &is_same)
        } else {
            Err(Result::Limited)
        };
        (tools.count)(match &taken {
            Ok(stack) => stack.confidence.into(),
            Err(result) => *result,
        });
        let Ok(stack) = taken else { return };
        tools.limit.taken(key, now);
        let known = self
            .stacks
            .iter_mut()
            .find(|(of, known, _)| *of == kind && known.place == stack.place);
        match known {
            Some((_, latest, times)) => {
                *latest = stack;
                *times += 1;
            }
            None => {
                if self.stacks.len() == MAX_STACKS {
                    self.stacks.remove(0);
                }
                self.stacks.push((kind, stack, 1));
            }
        }
    }

    /// What the thread has done since the baseline.
    fn times(&self, thread: &Thread, tools: &Tools<'_>) -> Option<Watched> {
        let then = self.baseline?;
        let now = tools.capturer.clocks(thread)?;
        let ticks = tools.clock.ticks().saturating_sub(self.since);
        let times = Watched {
            elapsed: tools.clock.nanos(ticks),
            cpu: now.cpu.saturating_sub(then.cpu),
            wait: now.wait.saturating_sub(then.wait),
        };
        // Too short to tell a share.
        (times.elapsed >= 500_000).then_some(times)
    }

    fn diagnose(&self, times: Option<Watched>, tools: &Tools<'_>) -> Diagnosis {
        let shows = |is: fn(&Stack) -> bool| self.stacks.iter().any(|(_, stack, _)| is(stack));
        let evidence = Evidence {
            times,
            threshold: tools.clock.nanos(tools.threshold),
            looks: self.looks,
            in_name_lookup: shows(Stack::is_in_name_lookup),
            in_block_in_place: tools.gave_core_away || shows(Stack::is_in_block_in_place),
        };
        let cause = classify(&evidence);
        let of_stack = |kind: Option<CallKind>| {
            let mut looks = Looks::default();
            match kind {
                Some(kind) => looks.add(kind),
                None => looks.running = 1,
            }
            match kind {
                Some(_) => classify(&Evidence {
                    times: None,
                    looks,
                    ..evidence
                }),
                None => Cause::Cpu,
            }
        };
        // The stack met most often among those that show the cause.
        let shown = self
            .stacks
            .iter()
            .filter(|(kind, ..)| of_stack(*kind) == cause)
            .max_by_key(|(_, _, times)| *times)
            .map(|(_, stack, _)| stack);
        let also = self
            .stacks
            .iter()
            .map(|(kind, stack, _)| (of_stack(*kind), stack.place.clone()))
            .filter(|(other, place)| {
                *other != cause || shown.is_some_and(|shown| shown.place != *place)
            })
            .collect();
        let is_call = !matches!(cause, Cause::Cpu | Cause::Preempted | Cause::Unknown);
        Diagnosis {
            cause: Some(cause),
            call: self
                .call
                .as_ref()
                .filter(|_| is_call)
                .map(|(_, call)| Arc::clone(&call.words)),
            stack: shown.cloned(),
            times: times.map(|times| Times {
                on_cpu: Duration::from_nanos(times.cpu),
                waiting: Duration::from_nanos(times.wait),
                blocked: Duration::from_nanos(
                    times
                        .elapsed
                        .saturating_sub(times.cpu)
                        .saturating_sub(times.wait),
                ),
            }),
            also,
            lateness: tools.lateness,
        }
    }
}
