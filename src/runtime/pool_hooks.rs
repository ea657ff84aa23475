use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};

use crate::sync::{AtomicBool, AtomicU64, Ordering, lock};

/// Which threads a runtime has started and not ended, told by tokio's hooks:
/// workers and pool threads alike.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    alive: AtomicU64,
    /// The kernel's numbers of those threads; empty where nothing needs them.
    threads: Mutex<BTreeSet<i32>>,
    /// A thread of the runtime was met that the hooks had not told of: somebody
    /// has set others after us.
    is_overridden: AtomicBool,
}

impl Hooks {
    fn started(&self) {
        self.alive.fetch_add(1, Ordering::Relaxed);
        let thread = crate::sys::thread_id();
        if thread != 0 {
            lock(&self.threads).insert(thread);
        }
    }

    fn stopped(&self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
        lock(&self.threads).remove(&crate::sys::thread_id());
    }

    /// How many threads there are. `None` if the hooks do not tell: there must
    /// be `workers` at least.
    pub(super) fn alive(&self, workers: usize) -> Option<usize> {
        let alive = usize::try_from(self.alive.load(Ordering::Relaxed)).ok()?;
        (alive >= workers && !self.is_overridden.load(Ordering::Relaxed)).then_some(alive)
    }

    pub(crate) fn threads(&self) -> Vec<i32> {
        lock(&self.threads).iter().copied().collect()
    }

    /// Called on a thread of the runtime.
    pub(super) fn expect_registered(&self, thread: i32) {
        if thread != 0 && !lock(&self.threads).contains(&thread) {
            self.is_overridden.store(true, Ordering::Relaxed);
        }
    }
}

/// A tokio runtime's builder that was [configured]: takes what the service
/// itself wants to be called when threads start and stop.
///
/// tokio's builder keeps one function for each, the one set last. Set yours
/// here, after [configuring][configured], and not on the builder: then both are
/// called. If they are set on the builder all the same, the thread count falls
/// back to what it is without `configure_runtime`.
///
/// [configured]: crate::RuntimeHealth::configure_runtime
pub struct ConfiguredRuntime<'b> {
    pub(super) runtime: &'b mut tokio::runtime::Builder,
    pub(super) hooks: Arc<Hooks>,
    pub(super) max: Arc<AtomicU64>,
}

impl fmt::Debug for ConfiguredRuntime<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfiguredRuntime").finish_non_exhaustive()
    }
}

impl<'b> ConfiguredRuntime<'b> {
    pub(crate) fn new(
        runtime: &'b mut tokio::runtime::Builder,
        hooks: Arc<Hooks>,
        max: Arc<AtomicU64>,
    ) -> Self {
        Self {
            runtime,
            hooks,
            max,
        }
        .on_thread_start(|| {})
        .on_thread_stop(|| {})
    }

    /// As [`tokio::runtime::Builder::on_thread_start`].
    pub fn on_thread_start(self, function: impl Fn() + Send + Sync + 'static) -> Self {
        let hooks = Arc::clone(&self.hooks);
        self.runtime.on_thread_start(move || {
            hooks.started();
            function();
        });
        self
    }

    /// As [`tokio::runtime::Builder::on_thread_stop`].
    pub fn on_thread_stop(self, function: impl Fn() + Send + Sync + 'static) -> Self {
        let hooks = Arc::clone(&self.hooks);
        self.runtime.on_thread_stop(move || {
            // First: the service's own may panic.
            hooks.stopped();
            function();
        });
        self
    }

    /// As [`tokio::runtime::Builder::max_blocking_threads`], for this runtime
    /// alone. Otherwise it is that of
    /// [`Builder::max_blocking_threads`](crate::Builder::max_blocking_threads).
    ///
    /// # Panics
    ///
    /// If it is 0, as tokio's does.
    pub fn max_blocking_threads(self, max: usize) -> Self {
        self.runtime.max_blocking_threads(max);
        self.max.store(max as u64, Ordering::Relaxed);
        self
    }
}
