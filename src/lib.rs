// The README and the pages in `docs/` link by labels, which they define for readers of the
// tree and of the registry. Markdown takes the first definition of a label: the ones of
// `links.md` come first here, so rustdoc links within this version and checks each target.
#![cfg_attr(doc, doc = include_str!("../docs/links.md"))]
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
pub mod docs {
    //! The guide, one page per subject. Only in the documentation.
    //!
    //! | page | subject |
    //! |---|---|
    //! | [`patterns`] | a server that hangs: which line is it; every mistake and its repair |
    //! | [`setup`] | axum, tonic, any Tower service, tests, the demo and the gallery |
    //! | [`findings`] | causes, evidence, confidence, log events, JSON |
    //! | [`blocking_pool`] | saturation, deadlocks, and what each figure of the pool is worth |
    //! | [`metrics`] | every metric, its labels and buckets |
    //! | [`options`] | every option and feature |
    //! | [`dashboards`] | Grafana dashboards, alerts and the runbook |
    //! | [`platforms`] | what works where; containers and seccomp |
    //! | [`cost`] | what the layer, the watchdog and a scrape cost |
    //! | [`comparison`] | what others give and cost, and when to use which |
    //! | [`changelog`] | what changed |

    macro_rules! pages {
        ($($name:ident = $file:literal;)*) => {$(
            #[doc = include_str!("../docs/links.md")]
            #[doc = include_str!($file)]
            pub mod $name {}
        )*};
    }

    pages! {
        blocking_pool = "../docs/blocking-pool.md";
        changelog = "../CHANGELOG.md";
        comparison = "../COMPARE.md";
        cost = "../docs/cost.md";
        dashboards = "../docs/dashboards.md";
        findings = "../docs/findings.md";
        metrics = "../docs/metrics.md";
        options = "../docs/options.md";
        patterns = "../docs/patterns.md";
        platforms = "../docs/platforms.md";
        setup = "../docs/setup.md";
    }
}

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
