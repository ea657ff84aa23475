use std::sync::Arc;
use std::time::Duration;

use super::classify::{Evidence, Looks, Window, classify};
use super::hindsight::{self, Reading};
use super::limit::{CaptureLimit, Key};
use super::{Cause, Times};
use crate::capture::{
    Blocked, Call, CallKind, Capturer, Effort, Hints, PendingStack, Place, Result, Stack, State,
    Thread,
};
use crate::clock::Clock;
use crate::runtime::{Runtimes, Workers};
use crate::slot::{EndedPoll, InProgress, Slot};

/// What is being found out about one poll, from the first tick that finds it
/// no longer short to its end.
#[derive(Debug)]
pub(super) struct Inquiry {
    pub(super) sequence: u64,
    /// The thread's clocks when it was opened, and at the last look.
    baseline: Option<Reading>,
    last: Option<Reading>,
    /// The workers of the thread's runtime when it was opened.
    workers: Option<Workers>,
    /// Since when it has waited for a processor without a break; in ticks.
    waits_since: Option<u64>,
    looks: Looks,
    /// Elapsed ticks at which the stack is looked at next.
    next_stack: u64,
    /// The call it was last described in.
    call: Option<(Blocked, Call)>,
    /// Distinct stacks, the latest last, with how often each was met.
    stacks: Vec<(Option<CallKind>, Arc<Stack>, u32)>,
    /// A stack whose names are being read.
    pending: Option<Asked>,
    /// What the last stack of its kind had shown when none was taken of this poll.
    assumed: Hints,
    diagnosis: Option<Arc<Diagnosis>>,
    /// How old the poll was then, in ticks.
    looked_at: u64,
}

#[derive(Debug)]
struct Asked {
    key: Key,
    stack: PendingStack,
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
    pub(super) fn has_place(&self) -> bool {
        self.stack
            .as_ref()
            .is_some_and(|stack| stack.place.is_some())
    }

    pub(super) fn cause(&self) -> Cause {
        self.cause.unwrap_or(Cause::Unknown)
    }
}

/// Different stacks of one poll that are kept.
const MAX_STACKS: usize = 4;

/// How long a look waits for the names of a stack, most of which were read
/// before.
const NAMING: Duration = Duration::from_millis(2);

/// What a look works with.
pub(super) struct Tools<'t> {
    pub(super) capturer: &'t mut Capturer,
    pub(super) limit: &'t mut CaptureLimit,
    pub(super) clock: &'t Clock,
    /// In ticks.
    pub(super) threshold: u64,
    /// How late this look is.
    pub(super) lateness: Duration,
    /// The watchdog itself was late of late.
    pub(super) is_machine_short: bool,
    pub(super) runtimes: &'t Runtimes,
    /// How many threads may still be waited for within this round of looks.
    pub(super) waits: &'t mut usize,
    /// Told how each attempt at a stack ended.
    pub(super) count: &'t dyn Fn(Result),
}

/// Why a poll was long that has ended, by the readings that there are from before
/// its end.
pub(super) fn settle(
    before: [Option<Reading>; 2],
    poll: &EndedPoll,
    thread: &Thread,
    tools: &Tools<'_>,
) -> Cause {
    let end = poll.start.saturating_add(poll.ticks);
    let Some(now) = Reading::of(thread, tools) else {
        return Cause::Unknown;
    };
    let nanos = |ticks| tools.clock.nanos(ticks);
    let [length, threshold] = [poll.ticks, tools.threshold].map(nanos);
    let before = before
        .into_iter()
        .flatten()
        .filter(|before| before.at < end);
    let mut causes = before.map(|before| {
        let seen = nanos(end - before.at.max(poll.start));
        hindsight::cause(seen, length, threshold, before.until(&now, tools.clock))
    });
    causes
        .find(|cause| *cause != Cause::Unknown)
        .unwrap_or(Cause::Unknown)
}

fn workers(slot: &Slot, tools: &Tools<'_>) -> Option<Workers> {
    slot.runtime().and_then(|id| tools.runtimes.workers(id))
}

/// Looks again and again at a thread that blocks often and briefly, until it is
/// met blocked; for 1.5 ms at most.
fn wait_for_call(thread: &Thread, tools: &Tools<'_>) -> State {
    /// With the timer's slack about 0.1 ms apart.
    const TRIES: usize = 12;
    const PAUSE: Duration = Duration::from_micros(40);
    for _ in 0..TRIES {
        std::thread::sleep(PAUSE);
        match tools.capturer.state(thread) {
            Some(blocked @ State::Blocked(_)) => return blocked,
            Some(State::Running) => {}
            None => break,
        }
    }
    State::Running
}

impl Inquiry {
    /// Reads the clocks to compare with. Costs about 5 µs.
    pub(super) fn open(poll: &InProgress, slot: &Slot, thread: &Thread, tools: &Tools<'_>) -> Self {
        let baseline = Reading::of(thread, tools);
        Self {
            sequence: poll.sequence,
            baseline,
            last: baseline,
            workers: workers(slot, tools),
            waits_since: None,
            looks: Looks::default(),
            next_stack: tools.threshold,
            call: None,
            stacks: Vec::new(),
            pending: None,
            assumed: Hints::default(),
            diagnosis: None,
            looked_at: 0,
        }
    }

    /// The last diagnosis.
    pub(super) fn diagnosis(&self) -> Option<Arc<Diagnosis>> {
        self.diagnosis.clone()
    }

    /// What the poll was seen at, should it be over now. How it shared the
    /// processor says nothing if it was young when it was last looked at.
    pub(super) fn last_seen_at(&self, threshold: u64) -> Cause {
        let is_young = self.looked_at < threshold;
        match self.diagnosis.as_deref().map(Diagnosis::cause) {
            None => Cause::Unknown,
            Some(Cause::Cpu | Cause::Preempted) if is_young => Cause::Unknown,
            Some(cause) => cause,
        }
    }

    /// Whether a stack is known that has no names yet.
    pub(super) fn awaits_names(&self) -> bool {
        self.pending.is_some()
    }

    /// The thread's clocks when this was opened.
    pub(super) fn baseline(&self) -> Option<Reading> {
        self.baseline
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
        let Some(mut state) = tools.capturer.state(thread) else {
            return;
        };
        let times = self.times(state, thread, tools);
        if state == State::Running
            && times.is_some_and(Window::is_often_blocked)
            && let Some(left) = tools.waits.checked_sub(1)
        {
            *tools.waits = left;
            state = wait_for_call(thread, tools);
        }
        let kind = match state {
            State::Running => None,
            State::Blocked(blocked) => self.kind(&blocked, thread, tools),
        };
        // It may be over, and what was seen another poll's.
        if slot.activity() != poll.sequence {
            return;
        }
        match (state, kind) {
            (State::Running, _) => self.looks.running = self.looks.running.saturating_add(1),
            (_, Some(kind)) => self.looks.add(kind),
            _ => {}
        }
        if self.pending.is_some() {
            self.collect(Duration::ZERO, tools);
        } else if elapsed >= self.next_stack {
            let asked = self.ask_for_stack(poll, kind, state, slot, thread, tools);
            // Who moved may stand still at the next tick.
            while asked != Err(Result::Moved) && self.next_stack <= elapsed {
                self.next_stack = self.next_stack.saturating_mul(2).max(1);
            }
            if let State::Blocked(blocked) = state {
                self.describe(&blocked, thread, tools);
            }
        }
        let diagnosis = self.diagnose(elapsed, times, slot, tools);
        // Once its stack was looked at, and read: should the poll end before, it
        // is counted when that is known.
        if elapsed >= tools.threshold && self.pending.is_none() {
            slot.judge(poll.sequence, diagnosis.cause().into());
        }
        self.diagnosis = Some(Arc::new(diagnosis));
        self.looked_at = elapsed;
    }

    /// What it is blocked in. Most calls tell by their number; for the rest a
    /// descriptor is resolved.
    fn kind(&self, blocked: &Blocked, thread: &Thread, tools: &mut Tools<'_>) -> Option<CallKind> {
        if let Some((last, call)) = &self.call
            && last == blocked
        {
            return Some(call.kind);
        }
        let capturer = &mut *tools.capturer;
        capturer.kind(blocked).or_else(|| {
            let call = capturer.describe(thread, blocked, Effort::Little);
            call.map(|call| call.kind)
        })
    }

    /// Puts its call into words, once as long as nothing changes.
    fn describe(&mut self, blocked: &Blocked, thread: &Thread, tools: &mut Tools<'_>) {
        if self.call.as_ref().is_none_or(|(last, _)| last != blocked) {
            let call = tools.capturer.describe(thread, blocked, Effort::Full);
            self.call = call.map(|call| (*blocked, call)).or(self.call.take());
        }
    }

    /// Whether the thread holds up no worker of its runtime.
    fn has_given_core_away(&self, slot: &Slot, tools: &Tools<'_>) -> bool {
        let then = self.workers.as_ref();
        let have_moved = then
            .zip(workers(slot, tools))
            .is_some_and(|(then, now)| now.have_all_moved_since(then));
        // If it is over, it may have been the one that moved.
        have_moved && slot.activity() == self.sequence
    }

    fn ask_for_stack(
        &mut self,
        poll: &InProgress,
        kind: Option<CallKind>,
        state: State,
        slot: &Slot,
        thread: &mut Thread,
        tools: &mut Tools<'_>,
    ) -> std::result::Result<(), Result> {
        let key = (poll.series, poll.phase, kind);
        let now = tools.clock.ticks();
        let is_followed = !self.stacks.is_empty();
        let asked = if tools.limit.allows(&key, now, is_followed) {
            let is_same = || slot.activity() == poll.sequence;
            tools.capturer.stack(thread, state, poll.mark, &is_same)
        } else {
            Err(Result::Limited)
        };
        match asked {
            Ok(stack) => {
                self.pending = Some(Asked { key, stack });
                self.collect(NAMING, tools);
                Ok(())
            }
            Err(result) => {
                (tools.count)(result);
                if result == Result::Limited && self.stacks.is_empty() {
                    self.assumed = tools.limit.last_hints(&key);
                }
                Err(result)
            }
        }
    }

    /// Takes the stack that was asked for, once it is there.
    fn collect(&mut self, patience: Duration, tools: &mut Tools<'_>) {
        let asked = self.pending.as_mut();
        let Some(done) = asked.and_then(|asked| asked.stack.within(patience)) else {
            return;
        };
        let Some(Asked { key, .. }) = self.pending.take() else {
            return;
        };
        (tools.count)(match &done {
            Ok(stack) => stack.confidence.into(),
            Err(result) => *result,
        });
        let Ok(stack) = done else { return };
        tools.limit.taken(key, tools.clock.ticks(), stack.hints());
        self.assumed = Hints::default();
        let (_, _, kind) = key;
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
    fn times(&mut self, state: State, thread: &Thread, tools: &Tools<'_>) -> Option<Window> {
        let then = self.baseline?;
        let last = self.last.replace(Reading::of(thread, tools)?)?;
        let now = self.last?;
        // The kernel credits a wait when it ends. Who wants to run and has not
        // since the last reading has waited that long at least.
        let waits = state == State::Running && now.clocks.cpu == last.clocks.cpu;
        self.waits_since = waits.then(|| self.waits_since.unwrap_or(last.at));
        let waiting = self
            .waits_since
            .map_or(0, |since| now.at.saturating_sub(since));
        let mut times = then.until(&now, tools.clock);
        times.wait += tools.clock.nanos(waiting);
        // Too short to tell a share.
        (times.elapsed >= 500_000).then_some(times)
    }

    fn diagnose(
        &self,
        elapsed: u64,
        times: Option<Window>,
        slot: &Slot,
        tools: &Tools<'_>,
    ) -> Diagnosis {
        let hints = self.stacks.iter().map(|(_, stack, _)| stack.hints());
        let pending = self.pending.as_ref().and_then(|asked| asked.stack.hints());
        let hints = hints.chain(pending).fold(self.assumed, Hints::or);
        let mut stacks = self.stacks.iter();
        let shows_inlined = stacks.any(|(_, stack, _)| stack.shows_inlined());
        let evidence = Evidence {
            times,
            elapsed: tools.clock.nanos(elapsed),
            threshold: tools.clock.nanos(tools.threshold),
            looks: self.looks,
            is_machine_short: tools.is_machine_short,
            in_name_lookup: hints.in_name_lookup,
            in_block_in_place: hints.in_block_in_place
                || (!shows_inlined && self.has_given_core_away(slot, tools)),
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
                blocked: Duration::from_nanos(times.idle()),
            }),
            also,
            lateness: tools.lateness,
        }
    }
}
