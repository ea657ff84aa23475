use std::sync::OnceLock;
use std::thread::Thread;

use crate::primitive::{AtomicBool, Ordering};

/// Wakes a thread that watches when something begins while it sleeps: the
/// watchdog for a poll, the pool's watch for a pool task.
///
/// The hot path pays one relaxed load of a cache line that is written only when
/// the watchdog falls asleep or wakes. It issues no fence, so its store of the
/// slot may still be on its way when it reads `asleep`; the watchdog makes up
/// for that by looking once more, a tick after it has said that it sleeps (see
/// `DESIGN.md`, "Falling asleep").
#[derive(Debug)]
pub(crate) struct Alarm {
    asleep: AtomicBool,
    watchdog: OnceLock<Thread>,
}

impl Alarm {
    pub(crate) fn new() -> Self {
        Self {
            asleep: AtomicBool::new(false),
            watchdog: OnceLock::new(),
        }
    }

    /// Says which thread to wake. Once, by that thread, before it sleeps.
    pub(crate) fn watched_by(&self, watchdog: Thread) {
        let _ = self.watchdog.set(watchdog);
    }

    /// Something begins that must be watched.
    #[inline]
    pub(crate) fn ring(&self) {
        if self.asleep.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    /// Wakes the watchdog, whatever it does.
    #[cold]
    pub(crate) fn wake(&self) {
        self.asleep.store(false, Ordering::Relaxed);
        if let Some(watchdog) = self.watchdog.get() {
            watchdog.unpark();
        }
    }

    /// The watchdog is about to sleep, or has woken.
    pub(crate) fn set_asleep(&self, asleep: bool) {
        self.asleep.store(asleep, Ordering::Relaxed);
    }

    /// Whether nobody has rung since the watchdog said it sleeps.
    pub(crate) fn is_asleep(&self) -> bool {
        self.asleep.load(Ordering::Relaxed)
    }
}
