use std::sync::Arc;

use tokio::runtime::Handle;

use crate::clock::Clock;
use crate::recorder::{Histogram, TickBounds};
use crate::sync::{AtomicBool, Ordering};

/// Measures how long a task that is ready waits for its first poll.
///
/// A probe is an empty task that is spawned from outside the runtime. Like a connection
/// that becomes readable, it passes through the injection queue. At most one probe is
/// outstanding, so a stuck runtime is not flooded.
#[derive(Debug)]
pub(crate) struct LagProbe {
    bounds: TickBounds<9>,
    delays: Histogram<9>,
    /// Whether a probe is outstanding. Set by the sender, cleared when the task is dropped.
    /// It publishes no other data.
    out: AtomicBool,
    /// Whether a probe was dropped unpolled, which means that the runtime has shut down.
    closed: AtomicBool,
}

impl LagProbe {
    pub(super) fn new(bounds: TickBounds<9>) -> Self {
        Self {
            bounds,
            delays: Histogram::new(),
            out: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    /// Sends a probe, unless one is outstanding. Its task also calls `on_worker`.
    pub(super) fn send(
        self: &Arc<Self>,
        runtime: &Handle,
        clock: &Clock,
        on_worker: impl FnOnce() + Send + 'static,
    ) {
        if self.is_closed() || self.out.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut flight = Flight {
            probe: Arc::clone(self),
            arrived: false,
        };
        let (clock, ready) = (clock.clone(), clock.ticks());
        // On a runtime that has shut down the task is dropped at once.
        drop(runtime.spawn(async move {
            flight.arrived = true;
            let lag = clock.ticks().saturating_sub(ready);
            flight.probe.delays.record_shared(&flight.probe.bounds, lag);
            on_worker();
        }));
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    #[cfg(feature = "prometheus")]
    pub(super) fn delays(&self) -> &Histogram<9> {
        &self.delays
    }
}

struct Flight {
    probe: Arc<LagProbe>,
    arrived: bool,
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.arrived {
            self.probe.closed.store(true, Ordering::Relaxed);
        }
        self.probe.out.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn probe() -> (Arc<LagProbe>, Clock) {
        let clock = Clock::new();
        let bounds = crate::recorder::DELAY_SECONDS
            .map(|seconds| clock.ticks_in(Duration::from_secs_f64(seconds)));
        (Arc::new(LagProbe::new(bounds)), clock)
    }

    #[test]
    fn one_probe_is_out_at_a_time() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let (probe, clock) = probe();
        for _ in 0..10 {
            probe.send(runtime.handle(), &clock, || {});
        }
        assert_eq!(probe.delays.totals().count(), 0);
        runtime.block_on(tokio::task::yield_now());
        assert_eq!(probe.delays.totals().count(), 1);
        probe.send(runtime.handle(), &clock, || {});
        runtime.block_on(tokio::task::yield_now());
        assert_eq!(probe.delays.totals().count(), 2);
    }

    #[test]
    fn a_runtime_that_shuts_down_ends_its_probes() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let (probe, clock) = probe();
        let handle = runtime.handle().clone();
        probe.send(&handle, &clock, || {});
        drop(runtime);
        assert!(probe.is_closed());
        probe.send(&handle, &clock, || {});
        assert_eq!(probe.delays.totals().count(), 0);
    }
}
