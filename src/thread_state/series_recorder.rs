use std::sync::{Arc, Weak};

use super::latest;
use crate::instance::{Instance, PollConfig};
use crate::model::Series;
use crate::recorder::SeriesCells;
use crate::slot::Slot;

/// All that a poll of one series needs on one thread. A request carries the recorder of
/// the thread it was last polled on, so a poll on that thread looks up neither the
/// thread's data nor the series' cells.
#[derive(Debug)]
pub(crate) struct SeriesRecorder {
    /// The number of the [`ThreadState`](super::ThreadState) whose thread alone may
    /// write here, or [`NO_THREAD`](Self::NO_THREAD).
    pub(super) thread: u64,
    pub(crate) series: Series,
    pub(super) name: Arc<str>,
    pub(crate) poll_config: Arc<PollConfig>,
    pub(crate) slot: Arc<Slot>,
    pub(crate) cells: Arc<SeriesCells>,
    /// Weak, because a thread must not keep its instance alive.
    instance: Weak<Instance>,
}

impl SeriesRecorder {
    /// A number that no thread has.
    const NO_THREAD: u64 = u64::MAX;

    pub(super) fn new(
        thread: u64,
        slot: Arc<Slot>,
        cells: Arc<SeriesCells>,
        instance: &Arc<Instance>,
        series: Series,
    ) -> Self {
        Self {
            thread,
            series,
            name: instance.routes.name(series.route()),
            poll_config: Arc::clone(&instance.poll_config),
            slot,
            cells,
            instance: Arc::downgrade(instance),
        }
    }

    /// Creates a recorder for a request that begins on a thread whose local data has been
    /// destroyed.
    pub(crate) fn without_thread(instance: &Arc<Instance>, series: Series) -> Self {
        Self {
            thread: Self::NO_THREAD,
            series,
            name: instance.routes.name(series.route()),
            poll_config: Arc::clone(&instance.poll_config),
            slot: Arc::new(Slot::new("".into(), 0)),
            cells: Arc::default(),
            instance: Arc::downgrade(instance),
        }
    }

    /// Returns whether this is certainly the calling thread's. May return `false` for the
    /// calling thread's own.
    #[inline(always)]
    pub(crate) fn is_here(&self) -> bool {
        latest::is(self.thread)
    }

    /// Returns the instance, or `None` if its last handle has been dropped.
    pub(crate) fn instance(&self) -> Option<Arc<Instance>> {
        self.instance.upgrade()
    }

    /// Records the start of a request that belongs to no thread's cells.
    pub(crate) fn request_started_without_thread(&self) {
        self.record_without_thread(SeriesCells::request_started);
    }

    #[cold]
    pub(super) fn record_without_thread(&self, record: impl FnOnce(&SeriesCells)) {
        if let Some(instance) = self.instance() {
            instance.recorder.record_without_thread(self.series, record);
        }
    }
}
