//! What tokio shows of each observed runtime and of its blocking pool.
//!
//! | file | what |
//! |---|---|
//! | `observed` | [`Runtimes`]: the observed runtimes and what is read from them |
//! | `lag` | the scheduler-lag probe |
//! | `workers` | which workers make progress |
//! | `pool` | [`Pool`]: one blocking pool, what is known of it and what that means |
//! | `pool_hooks` | threads counted by tokio's hooks |
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
