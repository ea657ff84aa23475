use std::sync::{Arc, Weak};

use super::Local;
use crate::instance::{Instance, Terms};
use crate::recorder::{Outcome, Series, SeriesCells};
use crate::slot::Slot;

/// What a poll of one series needs on one thread, all in one place: a request
/// carries the writer of the thread it was last polled on, so a poll there asks
/// neither for the thread's data nor for the series' cells.
#[derive(Debug)]
pub(crate) struct Writer {
    /// The [`Local`] whose thread alone may write here; [`NOBODY`](Self::NOBODY)
    /// for none.
    pub(super) local: u64,
    pub(crate) series: Series,
    pub(super) name: Arc<str>,
    pub(crate) terms: Arc<Terms>,
    pub(crate) slot: Arc<Slot>,
    pub(crate) cells: Arc<SeriesCells>,
    /// The recorder's list leads to the cells, not to this: no cycle, but a
    /// thread must not keep its instance alive.
    instance: Weak<Instance>,
}

impl Writer {
    /// No thread's number.
    const NOBODY: u64 = u64::MAX;

    pub(super) fn new(local: &Local, instance: &Arc<Instance>, series: Series) -> Self {
        Self {
            local: local.number(),
            series,
            name: instance.routes.name(series.route()),
            terms: Arc::clone(&instance.terms),
            slot: Arc::clone(&local.slot),
            cells: local.shard.cells(series),
            instance: Arc::downgrade(instance),
        }
    }

    /// Of a request that begins on a thread whose local data is gone.
    pub(crate) fn of_nobody(instance: &Arc<Instance>, series: Series) -> Self {
        Self {
            local: Self::NOBODY,
            series,
            name: instance.routes.name(series.route()),
            terms: Arc::clone(&instance.terms),
            slot: Arc::new(Slot::new("".into(), 0)),
            cells: Arc::default(),
            instance: Arc::downgrade(instance),
        }
    }

    /// Whether this is certainly the calling thread's.
    #[inline(always)]
    pub(crate) fn is_here(&self) -> bool {
        Local::is_latest(self.local)
    }

    /// What the instance's handles keep; `None` when the last of them is gone.
    pub(crate) fn instance(&self) -> Option<Arc<Instance>> {
        self.instance.upgrade()
    }

    /// Has this be the calling thread's writer of the same series. False if it
    /// cannot be: the thread's local data is torn down, or the instance is gone.
    #[cold]
    #[inline(never)]
    pub(crate) fn bring_here(self: &mut Arc<Self>) -> bool {
        let Some(instance) = self.instance() else {
            return false;
        };
        let Some(local) = Local::of(&instance) else {
            return false;
        };
        local.become_latest();
        if local.number() != self.local {
            *self = local.writer(&instance, self.series);
        }
        true
    }

    /// A request has begun that no thread's cells can take.
    pub(crate) fn request_started_apart(&self) {
        self.record_apart(SeriesCells::request_started);
    }

    /// A request has ended, on whichever thread.
    #[inline]
    pub(crate) fn request_ended(self: &mut Arc<Self>, outcome: Outcome, ticks: u64) {
        if self.is_here() || self.bring_here() {
            self.cells.request_ended(&self.terms.bounds, outcome, ticks);
        } else {
            let bounds = &self.terms.bounds;
            self.record_apart(|cells| cells.request_ended(bounds, outcome, ticks));
        }
    }

    #[cold]
    fn record_apart(&self, record: impl FnOnce(&SeriesCells)) {
        if let Some(instance) = self.instance() {
            instance.recorder.record_without_thread(self.series, record);
        }
    }
}
