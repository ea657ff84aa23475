#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(unreachable_pub, clippy::expect_used, clippy::unwrap_used)]

#[macro_use]
mod model;

mod blocking;
mod capture;
mod clock;
mod error;
#[cfg(feature = "prometheus")]
mod export;
mod findings;
#[cfg(any(test, runtime_health_fuzz))]
#[cfg(all(feature = "capture", target_os = "linux", target_arch = "x86_64"))]
mod fuzzing;
mod handle;
mod inspect;
mod instance;
mod middleware;
mod offload;
mod options;
mod pool_monitor;
mod pool_tasks;
mod recorder;
mod route;
mod runtime;
mod slot;
mod state;
mod sync;
mod sys;
mod thread_state;
mod watchdog;

#[cfg(doc)]
#[doc = include_str!("../COMPARE.md")]
pub mod comparison {}

/// For `fuzz/` alone: not part of any build that users make.
#[doc(hidden)]
#[cfg(runtime_health_fuzz)]
pub fn fuzz_capture(bytes: &[u8]) {
    fuzzing::run(bytes);
}

#[cfg(feature = "rt-multi-thread")]
pub use blocking::block_in_place;
pub use blocking::{spawn_blocking, spawn_blocking_on};
pub use capture::{Confidence, Frame, ModuleAddress, Place};
pub use error::Error;
#[cfg(feature = "prometheus")]
pub use export::{Collector, names};
pub use findings::{
    AlsoSeen, Finding, PoolExample, PoolFinding, PoolFindingKind, PoolHolder, ThreadTimes,
};
pub use handle::{Builder, ForbidBlocking, RuntimeHealth};
pub use middleware::{ResponseBody, ResponseFuture, RuntimeHealthLayer, RuntimeHealthService};
pub use model::{Cause, Phase};
pub use options::{Detail, Family};
pub use route::{AutoRoute, RequestHead, RouteFn, RouteLabel};
pub use runtime::ConfiguredRuntime;
