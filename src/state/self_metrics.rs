use std::sync::OnceLock;

use crate::capture::{CaptureMode, CaptureOutcome};
use crate::model::ClosedSet;
use crate::recorder::Histogram;
use crate::sync::{AtomicU64, Ordering, add_exclusive};

/// Figures about this crate itself. Each atomic publishes nothing but itself.
#[derive(Debug)]
pub(crate) struct SelfMetrics {
    /// How much later than planned the watchdog woke. The watchdog alone writes it.
    pub(crate) lateness: Histogram<9>,
    /// How threads are read. Set by the watchdog as it starts.
    capture_mode: OnceLock<CaptureMode>,
    /// Attempts to read a stack, by outcome. The watchdog alone writes them.
    captures: [AtomicU64; CaptureOutcome::COUNT],
    /// System calls that failed because a running thread was interrupted.
    interrupted_calls: AtomicU64,
    /// Connections that the exporter refused.
    #[cfg(feature = "prometheus")]
    refused_connections: AtomicU64,
}

impl SelfMetrics {
    pub(super) fn new() -> Self {
        Self {
            lateness: Histogram::new(),
            capture_mode: OnceLock::new(),
            captures: std::array::from_fn(|_| AtomicU64::new(0)),
            interrupted_calls: AtomicU64::new(0),
            #[cfg(feature = "prometheus")]
            refused_connections: AtomicU64::new(0),
        }
    }

    pub(crate) fn set_capture_mode(&self, mode: CaptureMode) {
        let _ = self.capture_mode.set(mode);
    }

    pub(crate) fn capture_mode(&self) -> CaptureMode {
        let mode = self.capture_mode.get();
        mode.copied().unwrap_or(CaptureMode::None)
    }

    /// Called by the watchdog only.
    pub(crate) fn count_capture(&self, outcome: CaptureOutcome) {
        add_exclusive(&self.captures[outcome.index()], 1);
    }

    #[cfg(feature = "prometheus")]
    pub(crate) fn captures(&self, outcome: CaptureOutcome) -> u64 {
        self.captures[outcome.index()].load(Ordering::Relaxed)
    }

    pub(crate) fn set_interrupted_calls(&self, count: u64) {
        self.interrupted_calls.store(count, Ordering::Relaxed);
    }

    #[cfg(feature = "prometheus")]
    pub(crate) fn interrupted_calls(&self) -> u64 {
        self.interrupted_calls.load(Ordering::Relaxed)
    }

    #[cfg(feature = "server")]
    pub(crate) fn count_refused_connection(&self) {
        self.refused_connections.fetch_add(1, Ordering::Relaxed);
    }

    #[cfg(feature = "prometheus")]
    pub(crate) fn refused_connections(&self) -> u64 {
        self.refused_connections.load(Ordering::Relaxed)
    }
}
