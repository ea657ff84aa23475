use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Builder;
use crate::blocking::Origin;
use crate::error::Error;
use crate::findings::{Finding, PoolFinding};
use crate::instance::KeepAlive;
use crate::middleware::RuntimeHealthLayer;
use crate::route::NONE;
use crate::runtime::ConfiguredRuntime;
use crate::state::State;

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
    pub(super) keep_alive: Arc<KeepAlive>,
    pub(super) state: Arc<State>,
    #[cfg(feature = "server")]
    pub(super) metrics_addr: Option<std::net::SocketAddr>,
}

impl RuntimeHealth {
    /// Options, all with defaults.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The middleware. Make as many as you like; they count into the same
    /// figures.
    pub fn layer(&self) -> RuntimeHealthLayer {
        RuntimeHealthLayer::new(Arc::clone(&self.keep_alive))
    }

    /// What has blocked the executor so far, the costliest first. Bounded by
    /// [`Builder::max_findings`].
    pub fn findings(&self) -> Vec<Finding> {
        self.state.findings.list(&self.state.instance)
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
        let state = &self.state;
        let (bounds, max) = (
            state.instance.recorder.bounds(),
            state.options.max_blocking_threads,
        );
        state.runtimes.observe(
            handle.clone(),
            name.into(),
            bounds,
            max,
            &state.instance.clock,
        )
    }

    /// Sets up a runtime that is being built so that the threads of its blocking
    /// pool are counted exactly, on stable tokio, too: sets the limit of the
    /// pool ([`Builder::max_blocking_threads`]) and the functions called when
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
    ///     .max_blocking_threads(40)
    ///     .without_runtime()
    ///     .start()?;
    /// let mut runtime = tokio::runtime::Builder::new_multi_thread();
    /// health
    ///     .configure_runtime(&mut runtime, "main")
    ///     .on_thread_start(|| { /* the service's own */ });
    /// let runtime = runtime.enable_all().build()?;
    /// health.observe_runtime(runtime.handle(), "main")?;
    /// # Ok(()) }
    /// ```
    pub fn configure_runtime<'b>(
        &self,
        runtime: &'b mut tokio::runtime::Builder,
        name: &str,
    ) -> ConfiguredRuntime<'b> {
        let state = &self.state;
        let max = state.options.max_blocking_threads;
        runtime.max_blocking_threads(max);
        let (hooks, limit) = state.runtimes.configure(name, max);
        ConfiguredRuntime::new(runtime, hooks, limit)
    }

    /// What was found on blocking pools so far, the newest first. Bounded by
    /// [`Builder::max_findings`].
    pub fn pool_findings(&self) -> Vec<PoolFinding> {
        self.state.pool_findings.list()
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
        Origin::named(&self.state.instance, NONE).spawn(task)
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
        let instance = &self.state.instance;
        Origin::named(instance, instance.routes.intern(name)).spawn(task)
    }

    /// Where the exporter listens: the address given to
    /// [`Builder::serve_metrics`], with the port that a port of 0 has become.
    /// `None` if none was asked for.
    #[cfg(feature = "server")]
    pub fn metrics_addr(&self) -> Option<std::net::SocketAddr> {
        self.metrics_addr
    }

    /// All metrics as a collector for a [`prometheus::Registry`] of yours.
    ///
    /// Two of them can share a registry only with different
    /// [namespaces](Builder::namespace). It does not keep the threads alive.
    /// Collecting costs what [`render`](Self::render) does.
    #[cfg(feature = "prometheus")]
    pub fn collector(&self) -> crate::Collector {
        crate::Collector::new(Arc::clone(&self.state))
    }

    /// All metrics in Prometheus' text format, as the exporter serves them.
    ///
    /// Takes about a microsecond a series, and a look at the blocking pools, for
    /// which it waits 5 ms at most. For a service that wants to serve
    /// them from a server of its own; that one should not run on the runtime
    /// that is observed.
    #[cfg(feature = "prometheus")]
    pub fn render(&self) -> String {
        crate::export::render(&self.state)
    }
}
