use std::sync::Arc;
use std::time::Duration;

use super::capture_budget::CaptureKey;
use super::reader::Reader;
use super::round::Round;
use crate::capture::{CaptureOutcome, Hints, PendingStack, RunState, Stack, Thread};
use crate::model::CallKind;
use crate::slot::{InProgress, Slot};

/// How many distinct stacks of one poll are kept.
const MAX_STACKS: usize = 4;

/// How long a round waits until a stack's functions are named. Most names are cached.
const NAMING_TIME: Duration = Duration::from_millis(2);

/// The stacks of one poll: read when it has lasted 1, 2, 4, 8… thresholds.
#[derive(Debug)]
pub(super) struct StackCollector {
    /// Distinct stacks, the latest last.
    seen: Vec<SeenStack>,
    /// A stack whose functions are being named.
    pending: Option<Requested>,
    /// The age of the poll at which the next stack is due, in ticks.
    next_at: u64,
    /// What the last stack of the same kind showed, if this poll has no stack of its own.
    assumed: Hints,
}

#[derive(Debug)]
pub(super) struct SeenStack {
    /// The kind of call the thread was blocked in; `None` while it ran.
    pub(super) kind: Option<CallKind>,
    pub(super) stack: Arc<Stack>,
    pub(super) times: u32,
}

#[derive(Debug)]
struct Requested {
    key: CaptureKey,
    stack: PendingStack,
}

impl StackCollector {
    pub(super) fn new(threshold: u64) -> Self {
        Self {
            seen: Vec::new(),
            pending: None,
            next_at: threshold,
            assumed: Hints::default(),
        }
    }

    pub(super) fn seen(&self) -> &[SeenStack] {
        &self.seen
    }

    /// Returns whether a stack was read whose functions are not named yet.
    pub(super) fn awaits_names(&self) -> bool {
        self.pending.is_some()
    }

    /// Returns what the stacks show, or are assumed to show.
    pub(super) fn hints(&self) -> Hints {
        let seen = self.seen.iter().map(|seen| seen.stack.hints());
        let pending = self
            .pending
            .as_ref()
            .and_then(|requested| requested.stack.hints());
        seen.chain(pending).fold(self.assumed, Hints::or)
    }

    /// Returns whether inlined functions would show in one of the stacks.
    pub(super) fn shows_inlined(&self) -> bool {
        self.seen.iter().any(|seen| seen.stack.shows_inlined())
    }

    /// Takes the pending stack if its functions have been named meanwhile.
    pub(super) fn collect_pending(&mut self, round: &Round<'_>, reader: &mut Reader) {
        self.collect(Duration::ZERO, round, reader);
    }

    /// Reads a stack if one is due at this age of the poll. Returns whether it was due.
    pub(super) fn read_if_due(
        &mut self,
        poll: &InProgress,
        elapsed: u64,
        observed: (RunState, Option<CallKind>),
        target: (&Slot, &Thread),
        round: &Round<'_>,
        reader: &mut Reader,
    ) -> bool {
        if elapsed < self.next_at {
            return false;
        }
        let outcome = self.read(poll, observed, target, round, reader);
        // A thread that moved while its stack was copied is tried again at the next tick.
        while outcome != Err(CaptureOutcome::Moved) && self.next_at <= elapsed {
            self.next_at = self.next_at.saturating_mul(2).max(1);
        }
        true
    }

    fn read(
        &mut self,
        poll: &InProgress,
        (state, kind): (RunState, Option<CallKind>),
        (slot, thread): (&Slot, &Thread),
        round: &Round<'_>,
        reader: &mut Reader,
    ) -> Result<(), CaptureOutcome> {
        let key = CaptureKey {
            series: poll.series,
            phase: poll.phase,
            kind,
        };
        let is_followed = !self.seen.is_empty();
        let requested = if reader
            .budget
            .allows(&key, round.clock().ticks(), is_followed)
        {
            let is_same_poll = || slot.activity() == poll.sequence;
            reader
                .capturer
                .stack(thread, state, poll.anchor, &is_same_poll)
        } else {
            Err(CaptureOutcome::Limited)
        };
        match requested {
            Ok(stack) => {
                self.pending = Some(Requested { key, stack });
                self.collect(NAMING_TIME, round, reader);
                Ok(())
            }
            Err(outcome) => {
                round.state.metrics.count_capture(outcome);
                if outcome == CaptureOutcome::Limited && !is_followed {
                    self.assumed = reader.budget.last_hints(&key);
                }
                Err(outcome)
            }
        }
    }

    /// Takes the pending stack once its functions are named.
    fn collect(&mut self, timeout: Duration, round: &Round<'_>, reader: &mut Reader) {
        let pending = self.pending.as_mut();
        let Some(named) = pending.and_then(|pending| pending.stack.wait(timeout)) else {
            return;
        };
        let Some(Requested { key, .. }) = self.pending.take() else {
            return;
        };
        round.state.metrics.count_capture(match &named {
            Ok(stack) => stack.confidence.into(),
            Err(outcome) => *outcome,
        });
        let Ok(stack) = named else { return };
        reader
            .budget
            .record(key, round.clock().ticks(), stack.hints());
        self.assumed = Hints::default();
        self.add(key.kind, stack);
    }

    fn add(&mut self, kind: Option<CallKind>, stack: Arc<Stack>) {
        let is_same = |seen: &&mut SeenStack| seen.kind == kind && seen.stack.place == stack.place;
        if let Some(known) = self.seen.iter_mut().find(is_same) {
            known.stack = stack;
            known.times += 1;
            return;
        }
        if self.seen.len() == MAX_STACKS {
            self.seen.remove(0);
        }
        self.seen.push(SeenStack {
            kind,
            stack,
            times: 1,
        });
    }
}
