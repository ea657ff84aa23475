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

/// The runtime health of one service: it makes the [layer](Self::layer), keeps the
/// [findings](Self::findings), and serves or [collects](Self::collector) the metrics.
///
/// A clone is another handle to the same instance. The instance's threads end when the last
/// handle, layer and service made from it are dropped. Several instances work side by side in
/// one process.
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
    /// Returns a builder, with every option at its default.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Returns the middleware. All layers of one instance record into the same figures. When
    /// layers of one instance are nested, only the outermost records.
    pub fn layer(&self) -> RuntimeHealthLayer {
        RuntimeHealthLayer::new(Arc::clone(&self.keep_alive))
    }

    /// Returns what has blocked the executor so far, the longest total time first. At most
    /// [`Builder::max_findings`] are kept.
    ///
    /// ```
    /// # use tower_runtime_health::RuntimeHealth;
    /// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let health = RuntimeHealth::builder().start()?;
    /// for finding in health.findings() {
    ///     println!("{finding}"); // route, cause, place, times and advice
    /// }
    /// # Ok(()) }
    /// ```
    pub fn findings(&self) -> Vec<Finding> {
        self.state.findings.list(&self.state.instance)
    }

    /// Observes another runtime, under a name of its own: the value of its label `runtime`.
    ///
    /// Observation stops once the runtime has shut down.
    ///
    /// ```
    /// # use tower_runtime_health::RuntimeHealth;
    /// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let health = RuntimeHealth::builder().start()?;
    /// let background = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    /// health.observe_runtime(background.handle(), "background")?;
    /// # background.shutdown_background();
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// If a runtime of that name is observed already ([`Error::is_invalid_option`]).
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

    /// Configures a runtime that is being built, so that the threads of its blocking pool are
    /// counted exactly on stable tokio as well. It sets the limit of the pool
    /// ([`Builder::max_blocking_threads`]) and the functions that tokio calls when threads
    /// start and stop.
    ///
    /// Once the runtime is built, observe it by the same name. Set thread hooks of your own on
    /// the returned value: tokio's builder keeps only one hook of each kind.
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
    ///     .on_thread_start(|| { /* the application's hook */ });
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

    /// Returns what was found about blocking pools so far, the newest first. At most
    /// [`Builder::max_findings`] are kept.
    pub fn pool_findings(&self) -> Vec<PoolFinding> {
        self.state.pool_findings.list()
    }

    /// Runs a task on the blocking pool, like [`spawn_blocking`](crate::spawn_blocking), for
    /// work that no request causes. It is counted under the route `<none>`.
    ///
    /// ```
    /// # use tower_runtime_health::RuntimeHealth;
    /// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let health = RuntimeHealth::builder().start()?;
    /// let sum = health.spawn_blocking(|| (1..=4).sum::<u32>()).await?;
    /// assert_eq!(sum, 10);
    /// # Ok(()) }
    /// ```
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

    /// Runs a task on the blocking pool, like [`spawn_blocking`](Self::spawn_blocking), under
    /// a name that takes the place of the route. The name counts towards
    /// [`Builder::max_routes`]; beyond that limit it is `<overflow>`.
    ///
    /// ```
    /// # use tower_runtime_health::RuntimeHealth;
    /// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let health = RuntimeHealth::builder().start()?;
    /// health.spawn_blocking_as("nightly-report", || { /* ... */ }).await?;
    /// # Ok(()) }
    /// ```
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

    /// Returns the address at which the exporter listens: that of
    /// [`Builder::serve_metrics`], with the port the system chose in place of 0. `None`
    /// without an exporter.
    #[cfg(feature = "server")]
    pub fn metrics_addr(&self) -> Option<std::net::SocketAddr> {
        self.metrics_addr
    }

    /// Returns all metrics as a collector for a [`prometheus::Registry`] of the service.
    ///
    /// Collectors of two instances can share a registry only if their
    /// [namespaces](Builder::namespace) differ. A collector does not keep the instance's
    /// threads alive. Collecting costs what [`render`](Self::render) costs.
    ///
    /// ```
    /// # use tower_runtime_health::RuntimeHealth;
    /// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let health = RuntimeHealth::builder().start()?;
    /// let registry = prometheus::Registry::new();
    /// registry.register(Box::new(health.collector()))?;
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "prometheus")]
    pub fn collector(&self) -> crate::Collector {
        crate::Collector::new(Arc::clone(&self.state))
    }

    /// Returns all metrics in Prometheus' text format, as the exporter serves them: for a
    /// service that serves them itself. Its server should not run on the observed runtime.
    ///
    /// Takes about a microsecond per series, and waits up to 5 ms for a fresh sample of the
    /// blocking pools.
    ///
    /// ```
    /// # use tower_runtime_health::RuntimeHealth;
    /// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let health = RuntimeHealth::builder().start()?;
    /// assert!(health.render().contains("runtime_health_build_info{"));
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "prometheus")]
    pub fn render(&self) -> String {
        crate::export::render(&self.state)
    }
}
