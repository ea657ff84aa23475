use std::sync::{Arc, Weak};

use super::latest;
use crate::instance::{Instance, PollConfig};
use crate::model::Series;
use crate::recorder::SeriesCells;
use crate::slot::Slot;

/// What a poll of one series needs on one thread, all in one place: a request
/// carries the writer of the thread it was last polled on, so a poll there asks
/// neither for the thread's data nor for the series' cells.
#[derive(Debug)]
pub(crate) struct SeriesRecorder {
    /// The [`ThreadState`](super::ThreadState) whose thread alone may write here; [`NO_THREAD`](Self::NO_THREAD)
    /// for none.
    pub(super) thread: u64,
    pub(crate) series: Series,
    pub(super) name: Arc<str>,
    pub(crate) poll_config: Arc<PollConfig>,
    pub(crate) slot: Arc<Slot>,
    pub(crate) cells: Arc<SeriesCells>,
    /// The recorder's list leads to the cells, not to this: no cycle, but a
    /// thread must not keep its instance alive.
    instance: Weak<Instance>,
}

impl SeriesRecorder {
    /// No thread's number.
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

    /// Of a request that begins on a thread whose local data is gone.
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

    /// Whether this is certainly the calling thread's.
    #[inline(always)]
    pub(crate) fn is_here(&self) -> bool {
        latest::is(self.thread)
    }

    /// What the instance's handles keep; `None` when the last of them is gone.
    pub(crate) fn instance(&self) -> Option<Arc<Instance>> {
        self.instance.upgrade()
    }

    /// A request has begun that no thread's cells can take.
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
