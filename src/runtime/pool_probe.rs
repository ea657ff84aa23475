use std::sync::Arc;

use tokio::runtime::Handle;

use crate::clock::Clock;
use crate::recorder::{Histogram, TickBounds};
use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// Measures how long a task waits for a thread of the pool: with an empty one,
/// at most one at a time.
///
/// A probe starts a thread where none is idle and keeps idle ones alive, so it
/// is sent only while the pool looks full or nothing is known of it.
#[derive(Debug)]
pub(crate) struct PoolProbe {
    bounds: TickBounds<12>,
    waits: Histogram<12>,
    /// When the one that waits was sent, in ticks; 0 without one. Publishes
    /// nothing but itself.
    sent: AtomicU64,
    /// One is to be sent.
    requested: AtomicBool,
}

impl PoolProbe {
    pub(super) fn new(bounds: TickBounds<12>) -> Self {
        Self {
            bounds,
            waits: Histogram::new(),
            sent: AtomicU64::new(0),
            requested: AtomicBool::new(false),
        }
    }

    /// Since when the one that is out waits, in ticks.
    pub(crate) fn waits_since(&self) -> Option<u64> {
        let sent = self.sent.load(Ordering::Relaxed);
        (sent != 0).then_some(sent)
    }

    #[cfg(feature = "prometheus")]
    pub(crate) fn waits(&self) -> &Histogram<12> {
        &self.waits
    }

    /// Asks for one to be sent, by a thread whose descriptors are the
    /// service's: the pool may start a thread for it, which inherits them.
    pub(crate) fn request(&self) {
        self.requested.store(true, Ordering::Relaxed);
    }
}

/// Sends the probe that is requested, unless one is out. `on_pool_thread` runs on the
/// pool's thread once it gets there.
pub(super) fn send_requested(
    probe: &Arc<PoolProbe>,
    runtime: &Handle,
    clock: &Clock,
    on_pool_thread: impl FnOnce() + Send + 'static,
) {
    if !probe.requested.swap(false, Ordering::Relaxed) || probe.waits_since().is_some() {
        return;
    }
    let sent = clock.ticks().max(1);
    probe.sent.store(sent, Ordering::Relaxed);
    let (outstanding, clock) = (Outstanding(Arc::clone(probe)), clock.clone());
    drop(runtime.spawn_blocking(move || {
        let waited = clock.ticks().saturating_sub(sent);
        let probe = &outstanding.0;
        probe.waits.record_shared(&probe.bounds, waited);
        on_pool_thread();
    }));
}

/// Dropped when the probe has run, and when the runtime shuts down.
struct Outstanding(Arc<PoolProbe>);

impl Drop for Outstanding {
    fn drop(&mut self) {
        self.0.sent.store(0, Ordering::Relaxed);
    }
}
