//! The seam between the standard library's atomics and loom's models of them, and the
//! two helpers that go with them.

#[cfg(not(runtime_health_loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering, fence};

#[cfg(runtime_health_loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering, fence};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks even if a holder panicked: what these locks guard are counters and lists that
/// are valid after every single step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds to a counter that only the calling thread writes.
///
/// A plain load and store: no read-modify-write, no bus lock. `Relaxed`, because a
/// counter publishes nothing but itself.
#[inline]
pub(crate) fn add_exclusive(counter: &AtomicU64, by: u64) {
    counter.store(
        counter.load(Ordering::Relaxed).wrapping_add(by),
        Ordering::Relaxed,
    );
}
