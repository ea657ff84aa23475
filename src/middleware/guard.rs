use super::request::Progress;
use crate::clock::Clock;
use crate::local::Writer;
use crate::recorder::Outcome;
use crate::slot::{Mark, Phase};

/// One timed poll, from `enter` to `leave`. Dropped instead, by a panic that
/// unwinds, it leaves all the same: no slot stays entered.
///
/// What it was entered with is in the slot and nowhere else.
pub(super) struct PollGuard<'p> {
    progress: &'p mut Progress,
}

impl<'p> PollGuard<'p> {
    /// `mark` is the frame that holds the guard. `None` where the poll is not to
    /// be timed: a layer further out does it already, or the thread's local data
    /// is gone.
    #[inline(always)]
    pub(super) fn enter(
        progress: &'p mut Progress,
        phase: Phase,
        start: impl FnOnce(&Clock) -> u64,
        mark: Mark,
    ) -> Option<Self> {
        if !progress.writer.is_here() && !progress.writer.bring_here() {
            return None;
        }
        let writer = &*progress.writer;
        let (slot, terms) = (&*writer.slot, &*writer.terms);
        if slot.is_entered() {
            return None;
        }
        slot.enter(start(&terms.clock), writer.series, phase, mark);
        terms.alarm.ring();
        Some(Self { progress })
    }

    /// The poll has returned. Not left to the destructor: this is inlined, a
    /// destructor that runs on two ways is not.
    #[inline(always)]
    pub(super) fn leave(this: Option<Self>) {
        if let Some(guard) = this {
            guard.record();
        }
    }

    #[inline(always)]
    fn record(self) {
        let writer = &*self.progress.writer;
        let (slot, terms) = (&*writer.slot, &*writer.terms);
        let end = terms.clock.ticks();
        // Below 0, which wraps, is rare: the long way sees to it.
        let ticks = end.wrapping_sub(slot.started());
        // No threshold is below the first bound.
        if ticks <= terms.bounds.poll[0] {
            slot.leave();
            writer.cells.short_poll(ticks);
        } else {
            record_long(self.progress, end);
        }
        self.progress.last_poll_ended = end;
        std::mem::forget(self);
    }

    /// What the poll is recorded by.
    #[inline(always)]
    pub(super) fn writer(&self) -> &Writer {
        &self.progress.writer
    }
}

impl Drop for PollGuard<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        unwound(self.progress);
    }
}

// These take what the guard holds, not the guard, which has no address then and
// stays in registers.

/// A poll has ended that took longer than most.
#[inline(never)]
fn record_long(progress: &Progress, end: u64) {
    let writer = &*progress.writer;
    // Cores' counters may differ by a few ticks, and the thread may have
    // changed cores.
    let ticks = end.saturating_sub(writer.slot.started());
    if ticks >= writer.terms.threshold
        && let Some(cause) = writer.slot.note_ended(ticks)
    {
        writer.cells.blocking_poll(cause, ticks);
    }
    writer.slot.leave();
    writer.cells.poll(&writer.terms.bounds, ticks);
}

#[cold]
fn unwound(progress: &mut Progress) {
    let end = progress.writer.terms.clock.ticks();
    record_long(progress, end);
    progress.last_poll_ended = end;
    progress.outcome = Outcome::Error;
}
