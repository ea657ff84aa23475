//! tokio's own figures, and how long a ready task waits for a worker.
//!
//! | file | what |
//! |---|---|
//! | `observed` | one runtime and what is read of it |
//! | `lag` | the scheduler-lag probe |
//! | `workers` | which workers stand still |
//! | `unstable` | figures that tokio shows under `tokio_unstable` only |

mod lag;
mod observed;
#[cfg(all(tokio_unstable, feature = "runtime-metrics"))]
mod unstable;
mod workers;

pub(crate) use observed::{RuntimeFigures, Runtimes};
#[cfg(all(tokio_unstable, feature = "runtime-metrics"))]
pub(crate) use unstable::UnstableFigures;
pub(crate) use workers::Workers;
