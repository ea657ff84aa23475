//! What tokio shows of each observed runtime and of its blocking pool.
//!
//! A stuck worker, a scheduler that lags and a full blocking pool do not show in the polls of
//! requests. tokio has figures for some of it, and more of them under `tokio_unstable`. For the
//! rest this room sends probes: empty tasks whose delay is measured.
//!
//! [`Runtimes::observe`] adds a runtime. `RuntimeHealth::configure_runtime` sets hooks on one
//! that is being built, which count its threads exactly. Observation stops once the runtime has
//! shut down: its probe is then dropped without being polled.
//!
//! # Architecture
//!
//! - **Lag probe.** An async task, made ready from outside the runtime. At most one is out. On
//!   the worker that polls it, it also notes which runtime the thread belongs to.
//! - **Workers.** A snapshot of tokio's figures for each worker. Two of them tell whether every
//!   worker has made progress, so that a thread in `block_in_place` is recognised.
//! - **Pool.** Its limit, its last sample, and what a sample means: full, saturated, or unknown
//!   without a probe. The pool monitor takes the samples; this room takes none.
//! - **Pool probe.** An empty task on the blocking pool. The pool monitor requests it, and
//!   `health-offload` sends it.
//! - **Handles.** The watchdog and the pool monitor never hold an observed runtime beyond the
//!   lock of its list: the last reference to its handle must not be dropped on their descriptor tables (ARCHITECTURE.md,
//!   "Descriptor tables").
//!
//! # Files
//!
//! | file | what |
//! |---|---|
//! | `observed` | [`Runtimes`]: the observed runtimes and what is read from them |
//! | `lag` | the scheduler-lag probe |
//! | `workers` | [`Workers`]: which workers make progress |
//! | `pool` | [`Pool`]: one blocking pool, what is known of it and what that means |
//! | `pool_hooks` | [`ConfiguredRuntime`]: threads counted by tokio's hooks |
//! | `pool_probe` | an empty task that measures the queue wait |
//! | `unstable` | figures that tokio shows under `tokio_unstable` only |

mod lag;
mod observed;
mod pool;
mod pool_hooks;
mod pool_probe;
#[cfg(all(tokio_unstable, feature = "runtime-metrics"))]
mod unstable;
mod workers;

#[cfg(feature = "prometheus")]
pub(crate) use observed::RuntimeFigures;
pub(crate) use observed::Runtimes;
pub(crate) use pool::{
    ObservedPool, Pool, SAMPLE_INTERVAL, Sample, Saturation, kernel_thread_name,
};
pub use pool_hooks::ConfiguredRuntime;
#[cfg(all(tokio_unstable, feature = "runtime-metrics"))]
pub(crate) use unstable::UnstableFigures;
pub(crate) use workers::Workers;
