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
    entries: Mutex<Entries<T>>,
    /// Counts the changes of `entries`. Stored with `Release` while the lock
    /// is held; its partner is the `Acquire` load in `refresh`.
    generation: AtomicU64,
}

#[derive(Debug)]
struct Entries<T> {
    present: Vec<Arc<T>>,
    /// Left since the list was last copied, and not read out yet.
    left: Vec<Arc<T>>,
    /// As those, beyond what is kept.
    lost: u64,
}

/// What was found in a list that has changed.
pub(crate) struct Changed<T> {
    /// Those present, and those that have left with something to be read.
    pub(crate) entries: Vec<Arc<T>>,
    /// How many have left with something that is lost.
    pub(crate) lost: u64,
}

impl<T> Roster<T> {
    /// Of those that have left; so many threads end in no tick.
    const MAX_LEFT: usize = 4096;

    pub(crate) fn new() -> Self {
        Self {
            entries: Mutex::new(Entries {
                present: Vec::new(),
                left: Vec::new(),
                lost: 0,
            }),
            generation: AtomicU64::new(0),
        }
    }

    pub(crate) fn join(&self, entry: Arc<T>) {
        let mut entries = lock(&self.entries);
        entries.present.push(entry);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// `unread`: whether there is something in it to be read yet.
    pub(crate) fn leave(&self, entry: &Arc<T>, unread: bool) {
        let mut entries = lock(&self.entries);
        entries.present.retain(|other| !Arc::ptr_eq(other, entry));
        if unread && entries.left.len() < Self::MAX_LEFT {
            entries.left.push(Arc::clone(entry));
        } else {
            entries.lost += u64::from(unread);
        }
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// A copy of the list, as it is now.
    pub(crate) fn list(&self) -> Vec<Arc<T>> {
        lock(&self.entries).present.clone()
    }

    /// A fresh copy if the list has changed since `seen`, which is updated.
    /// For one reader: who has left is given once.
    pub(crate) fn refresh(&self, seen: &mut u64) -> Option<Changed<T>> {
        let generation = self.generation.load(Ordering::Acquire);
        if generation == *seen {
            return None;
        }
        *seen = generation;
        let mut all = lock(&self.entries);
        let mut entries = std::mem::take(&mut all.left);
        entries.extend(all.present.iter().cloned());
        let lost = std::mem::take(&mut all.lost);
        Some(Changed { entries, lost })
    }
}
