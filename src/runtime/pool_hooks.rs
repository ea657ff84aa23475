use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};

use crate::sync::{AtomicBool, AtomicU64, Ordering, lock};

/// The live threads of a runtime, workers and pool threads, as reported by tokio's
/// hooks.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    alive: AtomicU64,
    /// The kernel's ids of those threads. Empty where the platform has none.
    threads: Mutex<BTreeSet<i32>>,
    /// Whether a thread of the runtime was seen that the hooks had not reported. Then
    /// the application has replaced the hooks.
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

    /// Returns the number of live threads. Returns `None` if the hooks were replaced,
    /// which is also the case if they report fewer than `workers`.
    pub(super) fn alive(&self, workers: usize) -> Option<usize> {
        let alive = usize::try_from(self.alive.load(Ordering::Relaxed)).ok()?;
        (alive >= workers && !self.is_overridden.load(Ordering::Relaxed)).then_some(alive)
    }

    pub(crate) fn threads(&self) -> Vec<i32> {
        lock(&self.threads).iter().copied().collect()
    }

    /// Checks that the hooks have reported `thread`, a thread of the runtime.
    pub(super) fn expect_registered(&self, thread: i32) {
        if thread != 0 && !lock(&self.threads).contains(&thread) {
            self.is_overridden.store(true, Ordering::Relaxed);
        }
    }
}

/// A tokio runtime builder with the thread hooks of this crate. Returned by
/// [`RuntimeHealth::configure_runtime`](crate::RuntimeHealth::configure_runtime).
///
/// tokio's builder keeps one function per hook, the one set last. An application that
/// needs its own hooks sets them here: then both are called. Hooks set directly on
/// tokio's builder replace those of this crate, and the thread count falls back to
/// what it is without `configure_runtime`.
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

    /// Sets a function that each thread calls when it starts, like
    /// [`tokio::runtime::Builder::on_thread_start`].
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let health = tower_runtime_health::RuntimeHealth::builder().without_runtime().start()?;
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// let started = Arc::new(AtomicUsize::new(0));
    /// let counter = Arc::clone(&started);
    /// let mut builder = tokio::runtime::Builder::new_multi_thread();
    /// health
    ///     .configure_runtime(builder.worker_threads(1), "main")
    ///     .on_thread_start(move || {
    ///         counter.fetch_add(1, Ordering::Relaxed);
    ///     });
    /// let runtime = builder.build()?;
    /// runtime.block_on(runtime.spawn(async {}))?;
    /// assert_eq!(started.load(Ordering::Relaxed), 1);
    /// # Ok(()) }
    /// ```
    pub fn on_thread_start(self, function: impl Fn() + Send + Sync + 'static) -> Self {
        let hooks = Arc::clone(&self.hooks);
        self.runtime.on_thread_start(move || {
            hooks.started();
            function();
        });
        self
    }

    /// Sets a function that each thread calls before it stops, like
    /// [`tokio::runtime::Builder::on_thread_stop`].
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let health = tower_runtime_health::RuntimeHealth::builder().without_runtime().start()?;
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// let stopped = Arc::new(AtomicUsize::new(0));
    /// let counter = Arc::clone(&stopped);
    /// let mut builder = tokio::runtime::Builder::new_multi_thread();
    /// health
    ///     .configure_runtime(builder.worker_threads(1), "main")
    ///     .on_thread_stop(move || {
    ///         counter.fetch_add(1, Ordering::Relaxed);
    ///     });
    /// let runtime = builder.build()?;
    /// runtime.block_on(runtime.spawn(async {}))?;
    /// drop(runtime);
    /// assert_eq!(stopped.load(Ordering::Relaxed), 1);
    /// # Ok(()) }
    /// ```
    pub fn on_thread_stop(self, function: impl Fn() + Send + Sync + 'static) -> Self {
        let hooks = Arc::clone(&self.hooks);
        self.runtime.on_thread_stop(move || {
            // Called first, because the application's function may panic.
            hooks.stopped();
            function();
        });
        self
    }

    /// Sets the limit of the blocking pool, like
    /// [`tokio::runtime::Builder::max_blocking_threads`], for this runtime alone.
    ///
    /// The default is that of
    /// [`Builder::max_blocking_threads`](crate::Builder::max_blocking_threads).
    ///
    /// # Panics
    ///
    /// Panics if `max` is 0, as tokio's function does.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let health = tower_runtime_health::RuntimeHealth::builder().without_runtime().start()?;
    /// let mut builder = tokio::runtime::Builder::new_multi_thread();
    /// health.configure_runtime(&mut builder, "main").max_blocking_threads(8);
    /// let runtime = builder.build()?;
    /// health.observe_runtime(runtime.handle(), "main")?;
    /// # Ok(()) }
    /// ```
    pub fn max_blocking_threads(self, max: usize) -> Self {
        self.runtime.max_blocking_threads(max);
        self.max.store(max as u64, Ordering::Relaxed);
        self
    }
}
