use super::request::Progress;
use crate::clock::Clock;
use crate::model::{Outcome, Phase};
use crate::slot::StackAnchor;
use crate::thread_state::SeriesRecorder;

/// One timed poll, from `enter` to `leave`. Dropped instead, by a panic that
/// unwinds, it leaves all the same: no slot stays entered.
///
/// What it was entered with is in the slot and nowhere else.
pub(super) struct PollGuard<'p> {
    progress: &'p mut Progress,
}

impl<'p> PollGuard<'p> {
    /// `anchor` is the frame that holds the guard. `None` where the poll is not to
    /// be timed: a layer further out does it already, or the thread's local data
    /// is gone.
    #[inline(always)]
    pub(super) fn enter(
        progress: &'p mut Progress,
        phase: Phase,
        start: impl FnOnce(&Clock) -> u64,
        anchor: StackAnchor,
    ) -> Option<Self> {
        if !progress.recorder.is_here() && !progress.recorder.move_here() {
            return None;
        }
        let recorder = &*progress.recorder;
        let (slot, poll_config) = (&*recorder.slot, &*recorder.poll_config);
        if slot.is_entered() {
            return None;
        }
        slot.enter(start(&poll_config.clock), recorder.series, phase, anchor);
        poll_config.parker.notify();
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
        let recorder = &*self.progress.recorder;
        let (slot, poll_config) = (&*recorder.slot, &*recorder.poll_config);
        let end = poll_config.clock.ticks();
        // Below 0, which wraps, is rare: the long way sees to it.
        let ticks = end.wrapping_sub(slot.started());
        // No threshold is below the first bound.
        if ticks <= poll_config.bounds.poll[0] {
            slot.leave();
            recorder.cells.short_poll(ticks);
        } else {
            record_long(self.progress, end);
        }
        self.progress.last_poll_ended = end;
        std::mem::forget(self);
    }

    /// What the poll is recorded by.
    #[inline(always)]
    pub(super) fn recorder(&self) -> &SeriesRecorder {
        &self.progress.recorder
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
    let recorder = &*progress.recorder;
    // Cores' counters may differ by a few ticks, and the thread may have
    // changed cores.
    let ticks = end.saturating_sub(recorder.slot.started());
    if ticks >= recorder.poll_config.threshold
        && let Some(cause) = recorder.slot.note_ended(ticks)
    {
        recorder.cells.blocking_poll(cause, ticks);
    }
    recorder.slot.leave();
    recorder.cells.poll(&recorder.poll_config.bounds, ticks);
}

#[cold]
fn unwound(progress: &mut Progress) {
    let end = progress.recorder.poll_config.clock.ticks();
    record_long(progress, end);
    progress.last_poll_ended = end;
    progress.outcome = Outcome::Error;
}
