//! All data of one [`RuntimeHealth`](crate::RuntimeHealth), shared by its handles and its
//! background threads. The hot path uses only the [`Instance`] in it.
//!
//! | file | what |
//! |---|---|
//! | `rounds` | [`Rounds`]: waits until a background thread has completed a round |
//! | `self_metrics` | [`SelfMetrics`]: figures about this crate itself |

mod rounds;
mod self_metrics;

use std::sync::{Arc, Weak};
use std::time::Duration;

pub(crate) use rounds::Rounds;
pub(crate) use self_metrics::SelfMetrics;

use crate::clock::Clock;
use crate::findings::{FindingStore, PoolFindingStore};
use crate::inspect::InspectQueue;
use crate::instance::Instance;
use crate::options::Options;
use crate::runtime::Runtimes;
use crate::thread_state::ThreadState;

/// The data of one instance.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) instance: Arc<Instance>,
    pub(crate) options: Options,
    pub(crate) runtimes: Runtimes,
    pub(crate) findings: FindingStore,
    pub(crate) pool_findings: PoolFindingStore,
    /// Requests from the pool monitor to the watchdog.
    pub(crate) inspect_queue: InspectQueue,
    pub(crate) watchdog_rounds: Rounds,
    pub(crate) pool_rounds: Rounds,
    pub(crate) metrics: SelfMetrics,
}

impl State {
    pub(crate) fn new(options: Options, clock: Clock) -> Self {
        let log_interval = clock.ticks_in(options.log_interval);
        Self {
            instance: Arc::new(Instance::new(
                clock,
                options.threshold,
                options.max_routes,
                options.schedule_delay_sampling,
            )),
            findings: FindingStore::new(options.max_findings, log_interval),
            pool_findings: PoolFindingStore::new(options.max_findings),
            runtimes: Runtimes::new(),
            inspect_queue: InspectQueue::default(),
            watchdog_rounds: Rounds::default(),
            pool_rounds: Rounds::default(),
            metrics: SelfMetrics::new(),
            options,
        }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.instance.clock
    }

    /// Sends each runtime a probe task for its scheduler lag. The probe also notes which
    /// runtime the thread that polls it belongs to.
    pub(crate) fn probe_runtimes(&self) {
        let instance = Arc::downgrade(&self.instance);
        self.runtimes.probe(self.clock(), |runtime| {
            let instance = Weak::clone(&instance);
            move || {
                if let Some(instance) = instance.upgrade() {
                    ThreadState::set_runtime(&instance, runtime);
                }
            }
        });
    }

    /// Waits until the watchdog has processed every poll that has ended by now, for at most a
    /// second.
    pub(crate) fn wait_for_watchdog(&self) {
        const TIMEOUT: Duration = Duration::from_secs(1);
        let parker = &self.instance.poll_config.parker;
        self.watchdog_rounds
            .wait_for_next(parker, self.clock(), TIMEOUT);
    }

    /// Has the pool monitor sample once more, so that the figures of an idle service are
    /// current. Takes about a millisecond, and at most `timeout`.
    #[cfg(feature = "prometheus")]
    pub(crate) fn refresh_pools(&self, timeout: Duration) {
        let parker = &self.instance.pool_parker;
        self.pool_rounds
            .wait_for_next(parker, self.clock(), timeout);
    }
}
