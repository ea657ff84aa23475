//! How late this machine wakes whoever sleeps: what it delays, it delays the watchdog, too.
//!
//! An event says how late the look was that it comes from. Looks before that one may have
//! been late as well, and the time until an event is due counts from the first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const BEAT: Duration = Duration::from_millis(1);
/// Not worth counting: any timer is that late.
const USUAL: Duration = Duration::from_millis(1);

/// A thread that does nothing but sleep and add up by how much that took too long.
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

    /// By how much it was late in all since the last call.
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
