use std::rc::Rc;

use crate::instance::Instance;
use crate::local::Local;
use crate::recorder::Series;
use crate::slot::Phase;

/// One timed poll: entered when made, left and recorded when dropped, so that
/// a panicking handler leaves no slot entered.
pub(super) struct PollGuard<'p> {
    local: Rc<Local>,
    instance: &'p Instance,
    series: Series,
    phase: Phase,
    start: u64,
    /// Where to leave the time of the end.
    end: &'p mut u64,
}

impl<'p> PollGuard<'p> {
    #[inline]
    pub(super) fn enter(
        local: Rc<Local>,
        instance: &'p Instance,
        series: Series,
        phase: Phase,
        end: &'p mut u64,
    ) -> Self {
        let start = instance.clock.ticks();
        local.slot.enter(start, series, phase);
        local.set_polling(Some(series));
        instance.alarm.poll_begins();
        Self {
            local,
            instance,
            series,
            phase,
            start,
            end,
        }
    }

    #[inline]
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// Records a wake-to-poll delay that ended with this poll.
    #[cold]
    pub(super) fn delayed(&self, ticks: u64) {
        if let Some(cells) = self.local.shard.cells(self.series) {
            cells.schedule_delay(self.instance.recorder.bounds(), ticks);
        }
    }

    #[cold]
    fn note_blocking(&self, ticks: u64) {
        self.local
            .slot
            .note_ended(self.start, ticks, self.series, self.phase);
        if let Some(cells) = self.local.shard.cells(self.series) {
            cells.blocking_poll(ticks);
        }
    }
}

impl Drop for PollGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        *self.end = self.instance.clock.ticks();
        // Cores' counters may differ by a few ticks, and a future can migrate
        // inside a poll (`block_in_place`).
        let ticks = self.end.saturating_sub(self.start);
        if ticks >= self.instance.threshold {
            self.note_blocking(ticks);
        }
        self.local.slot.leave();
        self.local.set_polling(None);
        if let Some(cells) = self.local.shard.cells(self.series) {
            cells.poll(self.instance.recorder.bounds(), ticks);
        }
    }
}
