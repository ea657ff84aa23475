use std::sync::OnceLock;
use std::thread::Thread;

use super::{AtomicBool, Ordering};

/// Parks one background thread of this crate, and lets other threads wake it cheaply:
/// the watchdog when a poll begins, the pool monitor when a task is queued.
///
/// [`notify`](Self::notify) is on the hot path. It costs one relaxed load of a cache line
/// that is written only when the background thread parks or wakes. It issues no fence, so
/// the caller's own store may still be in its store buffer when it reads `parked`. The
/// background thread compensates by checking once more, a tick after it has
/// announced that it parks (ARCHITECTURE.md, "Parking without a fence").
#[derive(Debug)]
pub(crate) struct Parker {
    /// `Relaxed` throughout: see above.
    parked: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Parker {
    pub(crate) fn new() -> Self {
        Self {
            parked: AtomicBool::new(false),
            thread: OnceLock::new(),
        }
    }

    /// Sets the thread to wake. Called once, by that thread, before it parks.
    pub(crate) fn set_thread(&self, thread: Thread) {
        let _ = self.thread.set(thread);
    }

    /// Wakes the thread if it is parked.
    #[inline]
    pub(crate) fn notify(&self) {
        if self.parked.load(Ordering::Relaxed) {
            self.unpark();
        }
    }

    /// Wakes the thread, whatever it is doing.
    #[cold]
    pub(crate) fn unpark(&self) {
        self.parked.store(false, Ordering::Relaxed);
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Announces that the thread is about to park, or has woken.
    pub(crate) fn set_parked(&self, parked: bool) {
        self.parked.store(parked, Ordering::Relaxed);
    }

    /// Returns whether no other thread has called [`notify`](Self::notify) since
    /// [`set_parked`](Self::set_parked).
    pub(crate) fn is_parked(&self) -> bool {
        self.parked.load(Ordering::Relaxed)
    }
}
