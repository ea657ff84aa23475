use std::sync::{Arc, Mutex};

use super::{AtomicU64, Ordering, lock};

/// A list of per-thread entries that one reader copies only when it has changed.
#[derive(Debug)]
pub(crate) struct Registry<T> {
    entries: Mutex<Entries<T>>,
    /// Counts the changes of `entries`. Stored with `Release` while the lock is held; its
    /// partner is the `Acquire` load in `refresh`.
    generation: AtomicU64,
}

#[derive(Debug)]
struct Entries<T> {
    registered: Vec<Arc<T>>,
    /// Entries deregistered since the list was last copied, with data the reader has not
    /// seen.
    departed: Vec<Arc<T>>,
    /// The number of such entries that were not kept.
    lost: u64,
}

/// A copy of a changed registry.
pub(crate) struct Changed<T> {
    /// The registered entries, and those that were deregistered with unread data.
    pub(crate) entries: Vec<Arc<T>>,
    /// How many were deregistered with unread data that is lost.
    pub(crate) lost: u64,
}

impl<T> Registry<T> {
    /// How many departed entries are kept: more than the threads that end within a tick.
    const MAX_DEPARTED: usize = 4096;

    pub(crate) fn new() -> Self {
        Self {
            entries: Mutex::new(Entries {
                registered: Vec::new(),
                departed: Vec::new(),
                lost: 0,
            }),
            generation: AtomicU64::new(0),
        }
    }

    pub(crate) fn register(&self, entry: Arc<T>) {
        let mut entries = lock(&self.entries);
        entries.registered.push(entry);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Removes an entry. `unread` tells whether it holds data that the reader has not seen.
    pub(crate) fn deregister(&self, entry: &Arc<T>, unread: bool) {
        let mut entries = lock(&self.entries);
        entries
            .registered
            .retain(|other| !Arc::ptr_eq(other, entry));
        if unread && entries.departed.len() < Self::MAX_DEPARTED {
            entries.departed.push(Arc::clone(entry));
        } else {
            entries.lost += u64::from(unread);
        }
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Returns a copy of the registered entries.
    pub(crate) fn list(&self) -> Vec<Arc<T>> {
        lock(&self.entries).registered.clone()
    }

    /// Returns a fresh copy if the registry has changed since `seen`, which is updated.
    /// For one reader: each departed entry is returned once.
    pub(crate) fn refresh(&self, seen: &mut u64) -> Option<Changed<T>> {
        let generation = self.generation.load(Ordering::Acquire);
        if generation == *seen {
            return None;
        }
        *seen = generation;
        let mut all = lock(&self.entries);
        let mut entries = std::mem::take(&mut all.departed);
        entries.extend(all.registered.iter().cloned());
        let lost = std::mem::take(&mut all.lost);
        Some(Changed { entries, lost })
    }
}
