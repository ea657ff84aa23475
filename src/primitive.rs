//! The seam between the standard library's atomics and loom's models of them,
//! and the few helpers every room shares.

#[cfg(not(runtime_health_loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

#[cfg(runtime_health_loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Locks without caring whether a holder panicked: what is guarded here is
/// counters and lists that are valid after every single step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds to a counter that only the calling thread writes.
///
/// A plain load and store: no read-modify-write, no bus lock. `Relaxed`,
/// because a counter publishes nothing but itself.
#[inline]
pub(crate) fn add_exclusive(counter: &AtomicU64, by: u64) {
    counter.store(
        counter.load(Ordering::Relaxed).wrapping_add(by),
        Ordering::Relaxed,
    );
}

/// A list that threads join and leave, and that a reader copies only when it
/// has changed.
#[derive(Debug)]
pub(crate) struct Roster<T> {
    entries: Mutex<Vec<Arc<T>>>,
    /// Counts the changes of `entries`. Stored with `Release` while the lock
    /// is held; its partner is the `Acquire` load in `refresh`.
    generation: AtomicU64,
}

impl<T> Roster<T> {
    pub(crate) fn new() -> Self {
        Self {
            entries: Mutex::new(Vec::new()),
            generation: AtomicU64::new(0),
        }
    }

    pub(crate) fn join(&self, entry: Arc<T>) {
        let mut entries = lock(&self.entries);
        entries.push(entry);
        self.generation.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn leave(&self, entry: &Arc<T>) {
        let mut entries = lock(&self.entries);
        entries.retain(|other| !Arc::ptr_eq(other, entry));
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// A copy of the list, as it is now.
    pub(crate) fn list(&self) -> Vec<Arc<T>> {
        lock(&self.entries).clone()
    }

    /// A fresh copy if the list has changed since `seen`, which is updated.
    pub(crate) fn refresh(&self, seen: &mut u64) -> Option<Vec<Arc<T>>> {
        let generation = self.generation.load(Ordering::Acquire);
        if generation == *seen {
            return None;
        }
        *seen = generation;
        Some(self.list())
    }
}
