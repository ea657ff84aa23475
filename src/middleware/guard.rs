use super::request::Progress;
use crate::clock::Clock;
use crate::model::{Outcome, Phase};
use crate::slot::StackAnchor;
use crate::thread_state::SeriesRecorder;

/// One timed poll, from `enter` to `leave`. If a panic unwinds through the poll, the
/// destructor leaves the slot, so no slot stays entered.
///
/// The start of the poll is stored only in the slot.
pub(super) struct PollGuard<'p> {
    progress: &'p mut Progress,
}

impl<'p> PollGuard<'p> {
    /// Begins a timed poll. `anchor` is the frame that holds the guard.
    ///
    /// Returns `None` if an outer layer already times the poll, or if the thread's
    /// local data has been destroyed.
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

    /// Ends a timed poll that has returned. The destructor does not do this, because a
    /// destructor that runs on two paths is not inlined.
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
        // A negative difference is rare. It wraps, and `record_long` handles it.
        let ticks = end.wrapping_sub(slot.started());
        // No threshold is below the first bound, so a short poll is never blocking.
        if ticks <= poll_config.bounds.poll[0] {
            slot.leave();
            recorder.cells.short_poll(ticks);
        } else {
            record_long(self.progress, end);
        }
        self.progress.last_poll_ended = end;
        std::mem::forget(self);
    }

    /// Returns the recorder of the poll.
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

// The functions below take the guard's contents instead of a reference to the guard.
// The guard then needs no address and stays in registers.

/// Records a poll that took longer than the first bound.
#[inline(never)]
fn record_long(progress: &Progress, end: u64) {
    let recorder = &*progress.recorder;
    // Saturating: the counters of two cores may differ by a few ticks, and the thread
    // may have moved to another core.
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
