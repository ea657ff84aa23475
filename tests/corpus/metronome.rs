//! How late this machine wakes sleeping threads, and so the watchdog.
//!
//! An event has the lateness of the inspection that it comes from. Earlier inspections may have been
//! late as well, and the time in which an event is due counts from the first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const BEAT: Duration = Duration::from_millis(1);
/// The usual lateness of a timer, which is not counted.
const USUAL: Duration = Duration::from_millis(1);

/// A thread that sleeps again and again, and sums up its lateness.
pub(crate) struct Metronome {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    late_micros: AtomicU64,
    ended: AtomicBool,
}

impl Metronome {
    pub(crate) fn start() -> Self {
        let shared = Arc::<Shared>::default();
        let data = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let mut before = Instant::now();
            while !data.ended.load(Ordering::Relaxed) {
                std::thread::sleep(BEAT);
                let now = Instant::now();
                let late = (now - before).saturating_sub(BEAT + USUAL);
                data.late_micros
                    .fetch_add(late.as_micros() as u64, Ordering::Relaxed);
                before = now;
            }
        });
        let thread = Some(thread);
        Self { shared, thread }
    }

    /// Returns the total lateness since the last call.
    pub(crate) fn take(&self) -> Duration {
        Duration::from_micros(self.shared.late_micros.swap(0, Ordering::Relaxed))
    }
}

impl Drop for Metronome {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
