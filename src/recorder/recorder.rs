use std::sync::{Arc, Mutex};

use super::Bounds;
use super::shard::{SeriesCells, Shard};
use crate::model::Series;
use crate::sync::lock;

/// All counters of one instance.
#[derive(Debug)]
pub(crate) struct Recorder {
    bounds: Bounds,
    pub(super) threads: Mutex<Threads>,
}

#[derive(Debug)]
pub(super) struct Threads {
    pub(super) live: Vec<Arc<Shard>>,
    /// The counts of threads that have ended. Written only under the lock, so there is one
    /// writer at a time.
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

    /// Returns a new shard for the calling thread, which alone may write to it.
    pub(crate) fn register(&self) -> Arc<Shard> {
        let shard = Arc::new(Shard::default());
        lock(&self.threads).live.push(Arc::clone(&shard));
        shard
    }

    /// Keeps the counts of a thread that ends. Called by that thread, so the shard no
    /// longer changes.
    pub(crate) fn retire(&self, shard: &Arc<Shard>) {
        let mut threads = lock(&self.threads);
        threads.live.retain(|other| !Arc::ptr_eq(other, shard));
        threads.retired.absorb(shard);
    }

    /// Records on a thread whose local data has been destroyed. A runtime that is dropped
    /// while its thread ends drops its requests there.
    pub(crate) fn record_without_thread(&self, series: Series, record: impl FnOnce(&SeriesCells)) {
        // Under the lock, which makes this thread the only writer.
        let threads = lock(&self.threads);
        record(&threads.retired.cells(series));
    }
}
