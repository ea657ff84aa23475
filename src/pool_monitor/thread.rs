use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::long_tasks::LongTasks;
use super::sampler::{PoolView, Sampler};
use super::saturation::{PoolCheck, SaturationIncident};
use super::task_snapshot::TaskSnapshot;
use crate::error::{Error, Kind};
use crate::findings::Transition;
use crate::model::RuntimeId;
use crate::offload::Offload;
use crate::runtime::{ObservedPool, SAMPLE_INTERVAL};
use crate::state::State;
use crate::sync::{AtomicBool, Ordering};
use crate::sys::{self, FreshThread};

const NAME: &str = "health-pool";

/// Sampling takes at most one part in this many of the monitor's time.
const MAX_SHARE: u32 = 50;

/// The time between two rounds while tasks run and none is queued. A new task wakes the
/// monitor, but not within [`MIN_INTERVAL`] after a round.
const SLOW_INTERVAL: Duration = Duration::from_secs(1);
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// A probe waits less than this if a thread is idle or may be started for it.
const MAX_UNCONTENDED_WAIT: Duration = Duration::from_millis(20);

/// Owns the monitor's thread, which stops when this is dropped.
#[derive(Debug)]
pub(crate) struct PoolMonitor {
    state: Arc<State>,
    stop: Arc<AtomicBool>,
}

impl PoolMonitor {
    pub(crate) fn start(state: Arc<State>, offload: Offload) -> Result<Self, Error> {
        let stop = Arc::new(AtomicBool::new(false));
        let (thread_state, thread_stop) = (Arc::clone(&state), Arc::clone(&stop));
        sys::spawn(NAME, move |fresh: FreshThread| {
            // The files it opens must not count against the service's limit. They do where
            // this fails (before Linux 5.9).
            let _ = sys::unshare_descriptors(fresh);
            Monitor::new(thread_state, thread_stop, offload).run();
        })
        .map_err(|source| Kind::Thread { name: NAME, source })?;
        Ok(Self { state, stop })
    }
}

impl Drop for PoolMonitor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.state.instance.pool_parker.unpark();
    }
}

/// How soon the next round is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    /// No pool has any task.
    Idle,
    Slow,
    Fast,
}

struct Monitor {
    state: Arc<State>,
    stop: Arc<AtomicBool>,
    sampler: Sampler,
    incidents: HashMap<RuntimeId, SaturationIncident>,
    /// Ended incidents whose stacks have functions that are not named yet.
    unnamed: Vec<SaturationIncident>,
    long_tasks: LongTasks,
    /// When each pool was last probed, and when its saturation was last logged; in ticks.
    last_probe: HashMap<RuntimeId, u64>,
    last_logged: HashMap<RuntimeId, u64>,
    /// When the last round began, in ticks.
    last_round: u64,
    /// CPU time of the last sample, without the cost of a finding, which is rare.
    sample_cost: Duration,
    /// Declared last, so dropped last. See the watchdog's `Runner`.
    offload: Offload,
}

impl Monitor {
    fn new(state: Arc<State>, stop: Arc<AtomicBool>, offload: Offload) -> Self {
        Self {
            last_round: state.clock().ticks(),
            sample_cost: Duration::ZERO,
            sampler: Sampler::new(state.clock()),
            state,
            stop,
            incidents: HashMap::new(),
            unnamed: Vec::new(),
            long_tasks: LongTasks::default(),
            last_probe: HashMap::new(),
            last_logged: HashMap::new(),
            offload,
        }
    }

    fn run(mut self) {
        let state = Arc::clone(&self.state);
        let parker = &state.instance.pool_parker;
        parker.set_thread(std::thread::current());
        while !self.is_stopped() {
            if self.round() == Urgency::Fast {
                std::thread::park_timeout(SAMPLE_INTERVAL.max(self.sample_cost * MAX_SHARE));
                continue;
            }
            std::thread::park_timeout(MIN_INTERVAL.max(self.sample_cost * MAX_SHARE));
            if state.pool_rounds.is_requested() {
                continue;
            }
            // Announces that it parks, then does one more round. That round sees any task that
            // was queued before the announcement was visible.
            parker.set_parked(true);
            match self.round() {
                Urgency::Fast => {}
                Urgency::Slow => std::thread::park_timeout(SLOW_INTERVAL),
                Urgency::Idle => {
                    while parker.is_parked() && !self.is_stopped() {
                        std::thread::park();
                    }
                }
            }
            parker.set_parked(false);
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    fn round(&mut self) -> Urgency {
        let state = Arc::clone(&self.state);
        state.pool_rounds.begin();
        let now = state.clock().ticks();
        // A panic in here is a bug. It must not affect the service, and the next round must
        // take place.
        let checked = catch_unwind(AssertUnwindSafe(|| self.check_all(&state, now)));
        let urgency = checked.unwrap_or_else(|_| {
            state.findings.count_dropped(1);
            Urgency::Idle
        });
        self.last_round = now;
        state.pool_rounds.end();
        urgency
    }

    fn check_all(&mut self, state: &State, now: u64) -> Urgency {
        let pools = state.runtimes.pools();
        self.forget_all_but(&pools);
        let tasks = TaskSnapshot::take(&state.instance);
        // CPU time, because elapsed time grows where CPU is contended.
        let before = own_cpu_time();
        let views = self.sampler.sample(&pools, &tasks);
        let cost = own_cpu_time().saturating_sub(before);
        self.sample_cost = cost.min(SLOW_INTERVAL / MAX_SHARE);
        let mut urgency = Urgency::Idle;
        for (observed, view) in pools.iter().zip(&views) {
            urgency = urgency.max(self.check_pool(observed, view, &tasks, now));
        }
        self.unnamed
            .retain_mut(|incident| !incident.finish_names(now, state));
        if !self.unnamed.is_empty() {
            urgency = urgency.max(Urgency::Slow);
        }
        let on_pool = pools.iter().zip(&views);
        self.long_tasks
            .update(&tasks, on_pool, now, state, &self.offload);
        if tasks.sums.queued > 0 || self.long_tasks.have_pending_events() {
            Urgency::Fast
        } else if tasks.sums.running > 0 {
            urgency.max(Urgency::Slow)
        } else {
            urgency
        }
    }

    /// Forgets runtimes that are no longer observed.
    fn forget_all_but(&mut self, pools: &[ObservedPool]) {
        let is_observed = |id: &RuntimeId| pools.iter().any(|observed| observed.id == *id);
        self.incidents.retain(|id, _| is_observed(id));
        self.last_probe.retain(|id, _| is_observed(id));
        self.last_logged.retain(|id, _| is_observed(id));
    }

    fn check_pool(
        &mut self,
        observed: &ObservedPool,
        view: &PoolView<'_>,
        tasks: &TaskSnapshot,
        now: u64,
    ) -> Urgency {
        let state = Arc::clone(&self.state);
        let (pool, id) = (&observed.pool, observed.id);
        pool.set_sample(view.sample);
        let probe = pool.probe.waits_since();
        let waited = probe.map(|sent| now.saturating_sub(sent));
        let max_wait = state.clock().ticks_in(MAX_UNCONTENDED_WAIT);
        let saturation = view.sample.saturation(pool.max(), (waited, max_wait));
        let queued_since = view.queued_tasks.iter().map(|task| task.since);
        let oldest = queued_since.chain(probe).min();
        // It was not saturated at the last round.
        let since = oldest.unwrap_or(now).max(self.last_round).min(now);
        pool.add_saturated_time(now, saturation.is_saturated, since);
        if saturation.wants_probe && probe.is_none() {
            if !saturation.is_full {
                // What is unknown now may be known by the next interval. A probe sent at once
                // might start a thread for nothing.
                self.last_probe.entry(id).or_insert(now);
            }
            self.request_probe(observed, now);
        }
        let check = PoolCheck {
            now,
            pool,
            view,
            saturation,
            steps: tasks.sums.steps,
            oldest,
        };
        if saturation.is_saturated && !self.incidents.contains_key(&id) {
            let incident = SaturationIncident::begin(&check, since, &state);
            self.incidents.insert(id, incident);
        }
        if let Some(incident) = self.incidents.get_mut(&id) {
            let transition = incident.update(&check, &mut self.sampler, &state);
            self.log(id, transition);
        }
        let is_suspect = self.incidents.contains_key(&id) || saturation.is_full || waited.is_some();
        if is_suspect || view.sample.queued > 0 {
            Urgency::Fast
        } else if view.sample.busy().is_some_and(|busy| busy > 0) {
            Urgency::Slow
        } else {
            Urgency::Idle
        }
    }

    /// Logs a transition of an incident if an event is due. Removes the incident if it has
    /// ended.
    fn log(&mut self, id: RuntimeId, transition: Option<Transition>) {
        let Some(incident) = self.incidents.get_mut(&id) else {
            return;
        };
        let clock = self.state.clock();
        let interval = clock.ticks_in(self.state.options.log_interval);
        let now = clock.ticks();
        let is_due = match transition {
            Some(Transition::Began) => {
                let last = self.last_logged.get(&id);
                let is_due = last.is_none_or(|last| now.saturating_sub(*last) >= interval);
                if is_due {
                    self.last_logged.insert(id, now);
                }
                incident.is_logged = is_due;
                is_due
            }
            Some(Transition::Stuck) => true,
            Some(Transition::Ended) => incident.is_logged,
            None => false,
        };
        let finding = incident.finding();
        // If an incident ended before its beginning was logged, both are logged now.
        let is_late = transition == Some(Transition::Began) && finding.is_over;
        let end = is_late.then_some(Transition::Ended);
        for transition in transition.into_iter().chain(end).filter(|_| is_due) {
            if !self.offload.log_pool_event(finding, transition) {
                self.state.findings.count_dropped(1);
            }
        }
        if finding.is_over {
            self.unnamed.extend(self.incidents.remove(&id));
        }
    }

    fn request_probe(&mut self, observed: &ObservedPool, now: u64) {
        let interval = self.state.options.blocking_probe_interval;
        let interval = self.state.clock().ticks_in(interval);
        let last = self.last_probe.get(&observed.id);
        if last.is_none_or(|last| now.saturating_sub(*last) >= interval) {
            self.last_probe.insert(observed.id, now);
            observed.pool.probe.request();
            self.offload.probe_pools();
        }
    }
}

/// Returns the CPU time of the calling thread, or 0 where it cannot be read. There a sample
/// reads nothing costly.
fn own_cpu_time() -> Duration {
    let nanos = sys::cpu_nanos(sys::thread_id());
    Duration::from_nanos(nanos.unwrap_or(0))
}
