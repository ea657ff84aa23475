use std::rc::Rc;

use super::request::Progress;
use crate::local::Local;
use crate::recorder::Outcome;
use crate::slot::{Mark, Phase};

/// One timed poll: entered when made, left and recorded when dropped, so that
/// a panicking handler leaves no slot entered.
///
/// What it was entered with is in the slot and nowhere else.
pub(super) struct PollGuard<'p> {
    local: Rc<Local>,
    progress: &'p mut Progress,
}

impl<'p> PollGuard<'p> {
    /// `mark` is the frame that holds the guard.
    #[inline]
    pub(super) fn enter(
        local: Rc<Local>,
        progress: &'p mut Progress,
        phase: Phase,
        start: u64,
        mark: Mark,
    ) -> Self {
        local.slot.enter(start, progress.series, phase, mark);
        progress.instance.alarm.ring();
        Self { local, progress }
    }

    /// Records a wake-to-poll delay that ended with this poll.
    #[cold]
    pub(super) fn delayed(&self, ticks: u64) {
        if let Some(cells) = self.local.shard.cells(self.progress.series) {
            cells.schedule_delay(self.progress.instance.recorder.bounds(), ticks);
        }
    }

    #[cold]
    fn note_blocking(&self, ticks: u64) {
        if let Some(cause) = self.local.slot.note_ended(ticks)
            && let Some(cells) = self.local.shard.cells(self.progress.series)
        {
            cells.blocking_poll(cause, ticks);
        }
    }
}

impl Drop for PollGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        let instance = &*self.progress.instance;
        let end = instance.clock.ticks();
        // Cores' counters may differ by a few ticks, and the thread may have
        // changed cores.
        let ticks = end.saturating_sub(self.local.slot.started());
        if ticks >= instance.threshold {
            self.note_blocking(ticks);
        }
        self.local.slot.leave();
        if let Some(cells) = self.local.shard.cells(self.progress.series) {
            cells.poll(instance.recorder.bounds(), ticks);
        }
        self.progress.last_poll_ended = end;
        // Reads one process-wide number while nothing unwinds.
        if std::thread::panicking() {
            self.progress.outcome = Outcome::Error;
        }
    }
}
