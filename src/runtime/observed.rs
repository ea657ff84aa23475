use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};

use tokio::runtime::Handle;

use super::lag::LagProbe;
use super::pool::{Configuration, ExactFigures, ObservedPool, Pool, SAMPLE_INTERVAL};
use super::workers::Workers;
use crate::clock::Clock;
use crate::error::{Error, Kind};
use crate::model::RuntimeId;
use crate::recorder::Bounds;
use crate::sync::{AtomicU64, Ordering, lock};

/// The runtimes that one instance observes. Observation of a runtime stops once it has
/// shut down.
#[derive(Debug)]
pub(crate) struct Runtimes {
    list: Mutex<Vec<Arc<Observed>>>,
    /// The number of runtimes observed so far.
    numbers: AtomicU64,
    /// The hooks of runtimes that are being built, by the name they will be observed by.
    configured: Mutex<HashMap<String, Configuration>>,
}

#[derive(Debug)]
struct Observed {
    id: RuntimeId,
    name: Arc<str>,
    handle: Handle,
    lag: Arc<LagProbe>,
    pool: Arc<Pool>,
    #[cfg(feature = "runtime-metrics")]
    intervals: Mutex<Intervals>,
}

impl Runtimes {
    pub(crate) fn new() -> Self {
        Self {
            list: Mutex::default(),
            numbers: AtomicU64::new(0),
            configured: Mutex::default(),
        }
    }

    /// Registers a runtime that is being built, to be observed by this name.
    pub(crate) fn configure(&self, name: &str, max: usize) -> Configuration {
        let made = (Arc::default(), Arc::new(AtomicU64::new(max as u64)));
        let mut configured = lock(&self.configured);
        configured.insert(name.to_owned(), made.clone());
        made
    }

    pub(crate) fn observe(
        &self,
        handle: Handle,
        name: String,
        bounds: &Bounds,
        max_blocking_threads: usize,
        clock: &Clock,
    ) -> Result<(), Error> {
        let mut list = lock(&self.list);
        if list.iter().any(|observed| *observed.name == *name) {
            return Err(Kind::RuntimeName(name).into());
        }
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let name: Arc<str> = name.into();
        let configuration = lock(&self.configured).remove(&*name);
        let pool = Pool::new(
            Arc::clone(&name),
            configuration,
            max_blocking_threads,
            bounds.blocking,
            clock.ticks_in(SAMPLE_INTERVAL),
        );
        list.push(Arc::new(Observed {
            id: RuntimeId(NonZeroU64::MIN.saturating_add(number)),
            name,
            lag: Arc::new(LagProbe::new(bounds.delay)),
            pool: Arc::new(pool),
            #[cfg(feature = "runtime-metrics")]
            intervals: Mutex::new(Intervals::new(&handle)),
            handle,
        }));
        Ok(())
    }

    fn live(&self) -> Vec<Arc<Observed>> {
        let mut list = lock(&self.list);
        list.retain(|observed| !observed.lag.is_closed());
        list.clone()
    }

    /// Sends a probe to each runtime that has none outstanding. The worker that polls it
    /// calls the function that `on_worker` returns for its runtime.
    pub(crate) fn probe<F>(&self, clock: &Clock, on_worker: impl Fn(RuntimeId) -> F)
    where
        F: FnOnce() + Send + 'static,
    {
        for observed in self.live() {
            let (on_worker, pool) = (on_worker(observed.id), Arc::clone(&observed.pool));
            // A runtime without workers runs on a thread of the application.
            let has_workers = observed.pool_workers() > 0;
            let on_worker = move || {
                on_worker();
                if has_workers {
                    pool.met_runtime_thread();
                }
            };
            observed.lag.send(&observed.handle, clock, on_worker);
        }
    }

    /// Returns the current figures of a runtime's workers. Returns `None` for a runtime
    /// that has shut down, or that has no `block_in_place`.
    pub(crate) fn workers(&self, id: RuntimeId) -> Option<Workers> {
        // Not with `live`: the caller must not drop the last reference to a runtime
        // (ARCHITECTURE.md, "Descriptor tables").
        let list = lock(&self.list);
        let observed = list.iter().find(|observed| observed.id == id)?;
        let is_open = !observed.lag.is_closed();
        is_open.then(|| Workers::of(&observed.handle)).flatten()
    }

    /// Sends each pool the probe that is requested, if any.
    pub(crate) fn probe_pools(&self, clock: &Clock) {
        for observed in self.live() {
            observed.pool.send_probe(&observed.handle, clock);
        }
    }

    /// Returns the pools of all runtimes that have not shut down. Does not use `live`, for
    /// the same reason as [`workers`](Self::workers).
    pub(crate) fn pools(&self) -> Vec<ObservedPool> {
        let list = lock(&self.list);
        let open = list.iter().filter(|observed| !observed.lag.is_closed());
        open.map(|observed| ObservedPool {
            id: observed.id,
            pool: Arc::clone(&observed.pool),
            workers: observed.pool_workers(),
            exact: observed.pool_figures(),
        })
        .collect()
    }

    /// Returns the figures of every runtime that has not shut down.
    #[cfg(feature = "prometheus")]
    pub(crate) fn figures(&self) -> Vec<RuntimeFigures> {
        self.live()
            .iter()
            .map(|observed| observed.figures())
            .collect()
    }
}

/// The figures of one runtime.
#[cfg(feature = "prometheus")]
#[derive(Debug)]
pub(crate) struct RuntimeFigures {
    pub(crate) name: Arc<str>,
    pub(crate) lag: crate::recorder::HistogramTotals<9>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) exact_pool: Option<ExactFigures>,
    #[cfg(feature = "runtime-metrics")]
    pub(crate) tokio: TokioFigures,
}

/// The figures that tokio keeps of one runtime.
#[cfg(feature = "runtime-metrics")]
#[derive(Debug)]
pub(crate) struct TokioFigures {
    pub(crate) workers: usize,
    pub(crate) alive_tasks: usize,
    pub(crate) global_queue_depth: usize,
    /// The busy seconds and parks of each worker. Empty on platforms without 64-bit
    /// atomics, where tokio keeps none.
    pub(crate) by_worker: Vec<(f64, u64)>,
    #[cfg(tokio_unstable)]
    pub(crate) unstable: super::UnstableFigures,
}

/// The sums of the changes that tokio-metrics reports: each of its reports covers the time
/// since the previous one.
#[cfg(feature = "runtime-metrics")]
struct Intervals {
    intervals: tokio_metrics::RuntimeIntervals,
    #[cfg(tokio_unstable)]
    sums: super::UnstableFigures,
}

#[cfg(feature = "runtime-metrics")]
impl std::fmt::Debug for Intervals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intervals").finish_non_exhaustive()
    }
}

#[cfg(feature = "runtime-metrics")]
impl Intervals {
    fn new(handle: &Handle) -> Self {
        Self {
            intervals: tokio_metrics::RuntimeMonitor::new(handle).intervals(),
            #[cfg(tokio_unstable)]
            sums: super::UnstableFigures::default(),
        }
    }
}

impl Observed {
    /// Returns the number of worker threads, without threads of the application.
    fn pool_workers(&self) -> usize {
        match self.handle.runtime_flavor() {
            tokio::runtime::RuntimeFlavor::CurrentThread => 0,
            _ => self.handle.metrics().num_workers(),
        }
    }

    #[cfg(tokio_unstable)]
    fn pool_figures(&self) -> Option<ExactFigures> {
        let metrics = self.handle.metrics();
        let probes = usize::from(self.pool.probe.waits_since().is_some());
        Some(ExactFigures {
            threads: metrics.num_blocking_threads(),
            idle: metrics.num_idle_blocking_threads(),
            queue: metrics.blocking_queue_depth().saturating_sub(probes),
        })
    }

    #[cfg(not(tokio_unstable))]
    fn pool_figures(&self) -> Option<ExactFigures> {
        None
    }

    #[cfg(feature = "prometheus")]
    fn figures(&self) -> RuntimeFigures {
        RuntimeFigures {
            name: Arc::clone(&self.name),
            lag: self.lag.delays().totals(),
            pool: Arc::clone(&self.pool),
            exact_pool: self.pool_figures(),
            #[cfg(feature = "runtime-metrics")]
            tokio: self.tokio(),
        }
    }

    #[cfg(feature = "runtime-metrics")]
    fn tokio(&self) -> TokioFigures {
        let mut intervals = lock(&self.intervals);
        // The iterator is endless. Each item is a plain reading.
        let now = intervals.intervals.next().unwrap_or_default();
        #[cfg(tokio_unstable)]
        intervals.sums.add(&now);
        TokioFigures {
            workers: now.workers_count,
            alive_tasks: now.live_tasks_count,
            global_queue_depth: now.global_queue_depth,
            by_worker: self.by_worker(),
            #[cfg(tokio_unstable)]
            unstable: intervals.sums.clone(),
        }
    }

    /// Returns the busy seconds and parks of each worker. The sums of tokio-metrics would
    /// hide a stuck worker.
    #[cfg(all(feature = "runtime-metrics", target_has_atomic = "64"))]
    fn by_worker(&self) -> Vec<(f64, u64)> {
        let metrics = self.handle.metrics();
        (0..metrics.num_workers())
            .map(|worker| {
                let busy = metrics.worker_total_busy_duration(worker).as_secs_f64();
                (busy, metrics.worker_park_count(worker))
            })
            .collect()
    }

    #[cfg(all(feature = "runtime-metrics", not(target_has_atomic = "64")))]
    fn by_worker(&self) -> Vec<(f64, u64)> {
        Vec::new()
    }
}
