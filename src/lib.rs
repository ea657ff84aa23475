#![doc = include_str!("../README.md")]
#![warn(unreachable_pub, clippy::expect_used, clippy::unwrap_used)]
// Without the exporter nobody reads much of what is recorded; nor can anybody
// look where threads cannot be read.
#![cfg_attr(
    not(all(feature = "server", feature = "capture", target_os = "linux")),
    allow(dead_code)
)]
#![cfg_attr(not(feature = "server"), allow(unused_imports))]

mod blocking;
mod builder;
mod capture;
mod clock;
mod error;
#[cfg(feature = "prometheus")]
mod export;
mod health;
mod instance;
mod local;
mod middleware;
mod pool;
mod primitive;
mod recorder;
mod route;
mod runtime;
mod slot;
mod sys;
mod watchdog;

#[cfg(doc)]
#[doc = include_str!("../COMPARE.md")]
pub mod comparison {}

/// For `fuzz/` alone.
#[doc(hidden)]
#[cfg(runtime_health_fuzz)]
pub fn fuzz_capture(bytes: &[u8]) {
    capture::garbage::run(bytes);
}

#[cfg(feature = "rt-multi-thread")]
pub use blocking::block_in_place;
pub use blocking::{spawn_blocking, spawn_blocking_on};
pub use builder::{Builder, Detail, Family};
pub use capture::{Confidence, Frame, Place};
pub use error::Error;
#[cfg(feature = "prometheus")]
pub use export::{Collector, names};
pub use health::{ForbidBlocking, RuntimeHealth};
pub use middleware::{HealthLayer, HealthService, ResponseBody, ResponseFuture};
pub use pool::{Configured, PoolExample, PoolFinding, PoolFindingKind, PoolHolder};
pub use route::{AutoRoute, RequestHead, RouteFn, RouteLabel};
pub use slot::Phase;
pub use watchdog::{Cause, Finding, Times};
