use std::sync::{Arc, Mutex};

use super::Bounds;
use super::shard::{SeriesCells, Shard};
use crate::model::Series;
use crate::sync::lock;

/// All that one instance has recorded.
#[derive(Debug)]
pub(crate) struct Recorder {
    bounds: Bounds,
    pub(super) threads: Mutex<Threads>,
}

#[derive(Debug)]
pub(super) struct Threads {
    pub(super) live: Vec<Arc<Shard>>,
    /// What threads that have ended left behind. Its one writer is whoever
    /// holds the lock.
    pub(super) retired: Shard,
}

impl Recorder {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            threads: Mutex::new(Threads {
                live: Vec::new(),
                retired: Shard::default(),
            }),
        }
    }

    #[inline]
    pub(crate) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// A shard for the calling thread, which alone may write to it.
    pub(crate) fn register(&self) -> Arc<Shard> {
        let shard = Arc::new(Shard::default());
        lock(&self.threads).live.push(Arc::clone(&shard));
        shard
    }

    /// Keeps what a thread that ends has recorded. Called by that thread, so
    /// the shard does not change any more.
    pub(crate) fn retire(&self, shard: &Arc<Shard>) {
        let mut threads = lock(&self.threads);
        threads.live.retain(|other| !Arc::ptr_eq(other, shard));
        threads.retired.absorb(shard);
    }

    /// Records from a thread whose local data is already gone: a runtime that
    /// is dropped while its thread ends drops its requests there.
    pub(crate) fn record_without_thread(&self, series: Series, record: impl FnOnce(&SeriesCells)) {
        // Under the lock: whoever holds it is the one writer.
        let threads = lock(&self.threads);
        record(&threads.retired.cells(series));
    }
}
