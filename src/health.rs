use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::HealthLayer;
use crate::blocking::{Origin, disown};
use crate::builder::{Builder, Options};
use crate::capture;
use crate::error::Error;
use crate::instance::Instance;
use crate::local::Local;
use crate::pool::{Configured, PoolFinding, PoolFindings, Watch};
use crate::primitive::{AtomicBool, AtomicU64, Ordering, add_exclusive};
use crate::recorder::Histogram;
use crate::route::NONE;
use crate::runtime::Runtimes;
use crate::watchdog::{Cause, Desk, Finding, FindingStore, Watchdog};

/// All data of one `RuntimeHealth`. Outlives the threads that work on it as
/// long as somebody reads it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) instance: Arc<Instance>,
    pub(crate) findings: FindingStore,
    /// How late the watchdog woke. It is the one writer.
    pub(crate) lateness: Histogram<9>,
    pub(crate) runtimes: Runtimes,
    /// How stuck threads are read; set by the watchdog as it starts.
    pub(crate) capture_mode: OnceLock<&'static str>,
    /// Attempts at a stack, by their result.
    pub(crate) captures: [AtomicU64; capture::Result::ALL.len()],
    /// System calls that failed because a running thread was interrupted.
    pub(crate) interrupted_calls: AtomicU64,
    /// Looks at all threads that have ended. The watchdog is the one writer;
    /// stored with `Release`: who sees a look sees what it has found.
    pub(crate) looks: AtomicU64,
    /// Where the pool's watch asks about threads.
    pub(crate) desk: Desk,
    pub(crate) pool_findings: PoolFindings,
    /// Looks at the pools: each counts when it begins and when it ends. Stored
    /// with `Release`; the pools' watch is the one writer.
    pub(crate) pool_looks: AtomicU64,
    /// Somebody waits for the next look.
    pub(crate) pool_look_wanted: AtomicBool,
    /// Connections the exporter refused.
    pub(crate) refused: AtomicU64,
    pub(crate) options: Options,
}

impl Shared {
    /// Sends the runtimes their probes. Each also says, where it is polled, that
    /// this thread is its runtime's.
    pub(crate) fn probe_runtimes(&self) {
        let instance = Arc::downgrade(&self.instance);
        self.runtimes.probe(&self.instance.clock, |runtime| {
            let instance = Weak::clone(&instance);
            move || {
                if let Some(instance) = instance.upgrade() {
                    Local::works_for(&instance, runtime);
                }
            }
        });
    }

    /// Waits until the watchdog has taken in all that has ended by now, for a
    /// second at most.
    fn settle(&self) {
        const PATIENCE: Duration = Duration::from_secs(1);
        let clock = &self.instance.clock;
        let looks = || self.looks.load(Ordering::Acquire);
        // One may be going on; the next has begun after this.
        let (enough, end) = (looks() + 2, clock.ticks() + clock.ticks_in(PATIENCE));
        while looks() < enough && clock.ticks() < end {
            self.instance.terms.alarm.wake();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Has the pools looked at once more, so that figures of an idle service are
    /// not those of long ago. Waits for a millisecond in most cases.
    pub(crate) fn look_at_pools(&self, patience: Duration) {
        let clock = &self.instance.clock;
        let looks = || self.pool_looks.load(Ordering::Acquire);
        // Odd while one goes on; another is wanted, which begins after this.
        let before = looks();
        let enough = before + 2 + (before & 1);
        let end = clock.ticks() + clock.ticks_in(patience);
        self.pool_look_wanted.store(true, Ordering::Release);
        self.instance.pool_alarm.wake();
        while looks() < enough && clock.ticks() < end {
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// An attempt at a stack has ended. Only the watchdog may call it.
    pub(crate) fn count_capture(&self, result: capture::Result) {
        add_exclusive(&self.captures[result as usize], 1);
    }
}

/// What keeps the threads alive: held by every handle, layer and service.
#[derive(Debug)]
pub(crate) struct Owner {
    shared: Arc<Shared>,
    #[expect(dead_code, reason = "stops its thread when dropped")]
    watchdog: Watchdog,
    #[expect(dead_code, reason = "stops its thread when dropped")]
    pools: Watch,
    #[cfg(feature = "server")]
    exporter: Option<crate::export::Server>,
}

impl Owner {
    #[inline]
    pub(crate) fn instance(&self) -> &Arc<Instance> {
        &self.shared.instance
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        disown(self.instance());
    }
}

/// Runtime health of one service: makes the [layer](Self::layer), holds the
/// [findings](Self::findings), and serves or [collects](Self::collector) the
/// metrics.
///
/// Cloning it gives another handle to the same. Its threads end when the last
/// handle, layer and service made from it are dropped. Several of them work
/// side by side in one process.
///
/// ```
/// use tower_runtime_health::RuntimeHealth;
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let health = RuntimeHealth::builder().start()?;
/// let app: axum::Router = axum::Router::new()
///     .route("/", axum::routing::get(|| async { "hello" }))
///     .layer(health.layer());
/// # drop(app); Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct RuntimeHealth {
    owner: Arc<Owner>,
}

impl RuntimeHealth {
    /// Options, all with defaults.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn new(
        shared: Arc<Shared>,
        watchdog: Watchdog,
        pools: Watch,
        #[cfg(feature = "server")] exporter: Option<crate::export::Server>,
    ) -> Self {
        Self {
            owner: Arc::new(Owner {
                shared,
                watchdog,
                pools,
                #[cfg(feature = "server")]
                exporter,
            }),
        }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.owner.shared
    }

    /// The middleware. Make as many as you like; they count into the same
    /// figures.
    pub fn layer(&self) -> HealthLayer {
        HealthLayer::new(Arc::clone(&self.owner))
    }

    /// What has blocked the executor so far, the costliest first. Bounded by
    /// [`Builder::max_findings`].
    pub fn findings(&self) -> Vec<Finding> {
        let instance = &self.shared().instance;
        self.shared()
            .findings
            .list(&instance.clock, &instance.routes)
    }

    /// Fails a test in which a handler has blocked the executor.
    ///
    /// Findings that blame nobody do not count: polls that were kept from the
    /// processor, those inside `block_in_place`, and those that ended before
    /// they were looked at, which takes a machine so short of CPU that the
    /// watchdog itself was late. Where threads cannot be read at all (see
    /// `capture` in `build_info`), every blocking poll counts.
    ///
    /// Blocks the calling thread for some milliseconds, until the watchdog has
    /// looked once more.
    ///
    /// # Panics
    ///
    /// If there is such a finding, with the text of each.
    #[track_caller]
    pub fn assert_no_blocking(&self) {
        self.assert_no_blocking_beyond(&[]);
    }

    /// [Asserts](Self::assert_no_blocking) that no handler blocks the executor
    /// from now until the guard is dropped, unless the test is failing already.
    ///
    /// ```
    /// # use tower_runtime_health::RuntimeHealth;
    /// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let health = RuntimeHealth::builder().start()?;
    /// let _guard = health.forbid_blocking();
    /// // ... requests ...
    /// # Ok(()) }
    /// ```
    #[must_use = "asserts when it is dropped"]
    pub fn forbid_blocking(&self) -> ForbidBlocking {
        ForbidBlocking {
            before: self.blamed(),
            health: self.clone(),
        }
    }

    #[track_caller]
    fn assert_no_blocking_beyond(&self, before: &[Finding]) {
        let new: Vec<_> = self
            .blamed()
            .into_iter()
            .filter(|finding| {
                !before
                    .iter()
                    .any(|old| old.is_same(finding) && old.polls == finding.polls)
            })
            .map(|finding| finding.to_string())
            .collect();
        assert!(
            new.is_empty(),
            "{} kind(s) of blocking found:\n{}",
            new.len(),
            new.join("\n")
        );
    }

    fn blamed(&self) -> Vec<Finding> {
        self.shared().settle();
        let cannot_read = self
            .shared()
            .capture_mode
            .get()
            .is_none_or(|mode| *mode == "none");
        let mut findings = self.findings();
        findings.retain(|finding| {
            finding.blames_handler() || (cannot_read && finding.cause == Cause::Unknown)
        });
        findings
    }

    /// Observes another runtime, under a name of its own (the label `runtime`).
    ///
    /// It is let go when it has shut down.
    ///
    /// # Errors
    ///
    /// If a runtime of that name is observed already
    /// ([`Error::is_invalid_option`]).
    pub fn observe_runtime(&self, handle: &Handle, name: impl Into<String>) -> Result<(), Error> {
        let shared = self.shared();
        let (bounds, max) = (
            shared.instance.recorder.bounds(),
            shared.options.blocking_threads_max,
        );
        shared.runtimes.observe(
            handle.clone(),
            name.into(),
            bounds,
            max,
            &shared.instance.clock,
        )
    }

    /// Sets up a runtime that is being built so that the threads of its blocking
    /// pool are counted exactly, on stable tokio, too: sets the limit of the
    /// pool ([`Builder::blocking_threads_max`]) and the functions called when
    /// threads start and stop.
    ///
    /// Observe the runtime by the same name when it is built. Hooks of the
    /// service's own are set on what this returns, not on tokio's builder, which
    /// keeps one of each.
    ///
    /// Costs about 0.2 µs for each thread that starts.
    ///
    /// ```
    /// use tower_runtime_health::RuntimeHealth;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let health = RuntimeHealth::builder()
    ///     .blocking_threads_max(40)
    ///     .without_runtime()
    ///     .start()?;
    /// let mut runtime = tokio::runtime::Builder::new_multi_thread();
    /// health
    ///     .configure(&mut runtime, "main")
    ///     .on_thread_start(|| { /* the service's own */ });
    /// let runtime = runtime.enable_all().build()?;
    /// health.observe_runtime(runtime.handle(), "main")?;
    /// # Ok(()) }
    /// ```
    pub fn configure<'b>(
        &self,
        runtime: &'b mut tokio::runtime::Builder,
        name: &str,
    ) -> Configured<'b> {
        let shared = self.shared();
        let max = shared.options.blocking_threads_max;
        runtime.max_blocking_threads(max);
        let (hooks, limit) = shared.runtimes.configure(name, max);
        Configured::new(runtime, hooks, limit)
    }

    /// What was found on blocking pools so far, the newest first. Bounded by
    /// [`Builder::max_findings`].
    pub fn pool_findings(&self) -> Vec<PoolFinding> {
        self.shared().pool_findings.list()
    }

    /// What is known of each pool without tokio's own figures: threads, idle
    /// ones, tasks queued. For a test that compares both.
    #[doc(hidden)]
    pub fn pool_estimates(&self) -> Vec<(Option<usize>, Option<usize>, u64)> {
        self.shared().look_at_pools(Duration::from_secs(1));
        let pools = self.shared().runtimes.pools();
        let known = pools.iter().filter_map(|facts| {
            let sample = facts.pool.sample()?;
            Some((sample.threads, sample.idle, sample.queued))
        });
        known.collect()
    }

    /// As [`spawn_blocking`](crate::spawn_blocking), for work that no request
    /// causes: it is counted by this `RuntimeHealth`, under the route `<none>`.
    ///
    /// # Panics
    ///
    /// If called outside of a tokio runtime, as tokio's does.
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, task: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        Origin::named(&self.shared().instance, NONE).spawn(task)
    }

    /// As [`spawn_blocking`](Self::spawn_blocking), under a name that takes the
    /// place of the route: `nightly-report`. It counts as a route of
    /// [`Builder::max_routes`]; over that it is `<overflow>`.
    ///
    /// # Panics
    ///
    /// If called outside of a tokio runtime, as tokio's does.
    #[track_caller]
    pub fn spawn_blocking_as<F, R>(&self, name: &str, task: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let instance = &self.shared().instance;
        Origin::named(instance, instance.routes.intern(name)).spawn(task)
    }

    /// Where the exporter listens: the address given to
    /// [`Builder::serve_metrics`], with the port that a port of 0 has become.
    /// `None` if none was asked for.
    #[cfg(feature = "server")]
    pub fn metrics_addr(&self) -> Option<std::net::SocketAddr> {
        self.owner
            .exporter
            .as_ref()
            .map(crate::export::Server::addr)
    }

    /// All metrics as a collector for a [`prometheus::Registry`] of yours.
    ///
    /// Two of them can share a registry only with different
    /// [namespaces](Builder::namespace). It does not keep the threads alive.
    /// Collecting costs what [`render`](Self::render) does.
    #[cfg(feature = "prometheus")]
    pub fn collector(&self) -> crate::Collector {
        crate::Collector::new(Arc::clone(self.shared()))
    }

    /// All metrics in Prometheus' text format, as the exporter serves them.
    ///
    /// Takes about a microsecond a series, and a look at the blocking pools, for
    /// which it waits 5 ms at most. For a service that wants to serve
    /// them from a server of its own; that one should not run on the runtime
    /// that is observed.
    #[cfg(feature = "prometheus")]
    pub fn render(&self) -> String {
        crate::export::render(self.shared())
    }
}

/// Made by [`RuntimeHealth::forbid_blocking`].
#[derive(Debug)]
pub struct ForbidBlocking {
    health: RuntimeHealth,
    before: Vec<Finding>,
}

impl Drop for ForbidBlocking {
    /// # Panics
    ///
    /// If a handler has blocked the executor meanwhile; not while the thread
    /// unwinds.
    #[track_caller]
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.health.assert_no_blocking_beyond(&self.before);
        }
    }
}
