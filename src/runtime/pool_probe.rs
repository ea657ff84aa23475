use std::sync::Arc;

use tokio::runtime::Handle;

use crate::clock::Clock;
use crate::recorder::{Histogram, TickBounds};
use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// Measures how long a task waits for a thread of the pool. It uses an empty task, at most
/// one at a time.
///
/// A probe starts a thread if none is idle, and keeps idle threads alive. It is therefore
/// sent only while the pool looks full or its state is unknown.
#[derive(Debug)]
pub(crate) struct PoolProbe {
    bounds: TickBounds<12>,
    waits: Histogram<12>,
    /// When the outstanding probe was sent, in ticks, or 0 if there is none. It publishes
    /// no other data.
    sent: AtomicU64,
    /// Whether a probe is to be sent.
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

    /// Returns when the outstanding probe was sent, in ticks.
    pub(crate) fn waits_since(&self) -> Option<u64> {
        let sent = self.sent.load(Ordering::Relaxed);
        (sent != 0).then_some(sent)
    }

    #[cfg(feature = "prometheus")]
    pub(crate) fn waits(&self) -> &Histogram<12> {
        &self.waits
    }

    /// Requests a probe. A thread on the service's own descriptor table sends it, because
    /// the pool may start a thread for it, which inherits the table.
    pub(crate) fn request(&self) {
        self.requested.store(true, Ordering::Relaxed);
    }
}

/// Sends the probe that is requested, unless one is outstanding. The pool's thread that
/// runs the probe calls `on_pool_thread`.
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
