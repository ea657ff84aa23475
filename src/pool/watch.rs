use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::episode::{Episode, Look};
use super::event::Moment;
use super::long_tasks::LongTasks;
use super::sampler::{Facts, Found, Holding, Sampler, Tasks};
use crate::error::{Error, Kind};
use crate::health::Shared;
use crate::primitive::{AtomicBool, Ordering};
use crate::slot::RuntimeId;
use crate::watchdog::{Report, Reporter};

const NAME: &str = "health-pool";

/// Between two looks, while a pool is full or work waits; never more of the
/// time than a fiftieth is spent on looks.
pub(crate) const FAST: Duration = Duration::from_millis(25);
const SHARE: u32 = 50;
/// While tasks run, and nothing waits; a new task wakes it, but not at once
/// after a look.
const SLOW: Duration = Duration::from_secs(1);
const REST: Duration = Duration::from_millis(100);

/// Longer than a probe waits where there is room: a thread may have to be
/// started for it.
const PROBE_PATIENCE: Duration = Duration::from_millis(20);

/// The running thread; ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
}

impl Watch {
    pub(crate) fn start(shared: Arc<Shared>, reporter: Reporter) -> Result<Self, Error> {
        let stop = Arc::new(AtomicBool::new(false));
        let (data, ended) = (Arc::clone(&shared), Arc::clone(&stop));
        std::thread::Builder::new()
            .name(NAME.into())
            .spawn(move || {
                // What it opens must not count against the service's limit.
                #[cfg(all(feature = "capture", target_os = "linux"))]
                let _ = crate::sys::thread::unshare_descriptors();
                Loop::new(data, ended, reporter).run();
            })
            .map_err(|source| Kind::Thread { name: NAME, source })?;
        Ok(Self { shared, stop })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.shared.instance.pool_alarm.wake();
    }
}

/// How soon the next look has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Attention {
    /// Nothing is on any pool.
    Asleep,
    Slow,
    Fast,
}

struct Loop {
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    sampler: Sampler,
    episodes: HashMap<u64, Episode>,
    /// Ended, and waiting for names.
    unnamed: Vec<Episode>,
    long_tasks: LongTasks,
    /// When a pool was last probed, and when a finding on it was last logged;
    /// in ticks.
    probed: HashMap<u64, u64>,
    logged: HashMap<u64, u64>,
    /// When the last look began, and how long the threads of it took: not what
    /// a finding takes, which is rare.
    looked: u64,
    took: Duration,
    /// Dropped last, see `watchdog::thread`.
    reporter: Reporter,
}

/// CPU time of this thread; 0 where nothing is looked at that costs much.
fn own_cpu() -> Duration {
    #[cfg(all(feature = "capture", target_os = "linux"))]
    let nanos = crate::sys::thread::cpu_nanos(crate::sys::thread_id()).unwrap_or(0);
    #[cfg(not(all(feature = "capture", target_os = "linux")))]
    let nanos = 0;
    Duration::from_nanos(nanos)
}

impl Loop {
    fn new(shared: Arc<Shared>, stop: Arc<AtomicBool>, reporter: Reporter) -> Self {
        Self {
            looked: shared.instance.clock.ticks(),
            took: Duration::ZERO,
            shared,
            stop,
            sampler: Sampler::default(),
            episodes: HashMap::new(),
            unnamed: Vec::new(),
            long_tasks: LongTasks::default(),
            probed: HashMap::new(),
            logged: HashMap::new(),
            reporter,
        }
    }

    fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let alarm = &shared.instance.pool_alarm;
        alarm.watched_by(std::thread::current());
        self.learn();
        while !self.stopped() {
            if self.look() == Attention::Fast {
                std::thread::park_timeout(FAST.max(self.took * SHARE));
                continue;
            }
            std::thread::park_timeout(REST.max(self.took * SHARE));
            if shared.pool_look_wanted.load(Ordering::Acquire) {
                continue;
            }
            // Say so first, then look once more: a task that was put there
            // before anybody could see it is visible then.
            alarm.set_asleep(true);
            match self.look() {
                Attention::Fast => {}
                Attention::Slow => std::thread::park_timeout(SLOW),
                Attention::Asleep => {
                    while alarm.is_asleep() && !self.stopped() {
                        std::thread::park();
                    }
                }
            }
            alarm.set_asleep(false);
        }
    }

    /// Has somebody else find out what an idle thread looks like: it takes
    /// seconds on a machine short of processors.
    #[cfg(all(feature = "capture", target_os = "linux"))]
    fn learn(&mut self) {
        let clock = self.shared.instance.clock.clone();
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let learner = std::thread::Builder::new()
            .name("pool-learn".into())
            .spawn(move || {
                // Nothing in there panics but by a bug; then nobody is known to
                // be idle.
                let learn = AssertUnwindSafe(|| super::idle::Signature::learn(&clock));
                let _ = tell.send(catch_unwind(learn).unwrap_or_default());
            });
        self.sampler.learning = learner.is_ok().then_some(told);
    }

    #[cfg(not(all(feature = "capture", target_os = "linux")))]
    fn learn(&mut self) {}

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    fn look(&mut self) -> Attention {
        let shared = Arc::clone(&self.shared);
        let clock = &shared.instance.clock;
        shared.pool_look_wanted.store(false, Ordering::Relaxed);
        shared.pool_looks.fetch_add(1, Ordering::Release);
        let now = clock.ticks();
        // Nothing in there panics but by a bug; the service and the next look go on.
        let looked = catch_unwind(AssertUnwindSafe(|| self.look_at_all(now)));
        let attention = looked.unwrap_or_else(|_| {
            shared.findings.count_dropped(1);
            Attention::Asleep
        });
        self.looked = now;
        shared.pool_looks.fetch_add(1, Ordering::Release);
        attention
    }

    fn look_at_all(&mut self, now: u64) -> Attention {
        let shared = Arc::clone(&self.shared);
        let instance = &shared.instance;
        let pools = shared.runtimes.pools();
        let seats = instance.seats.list();
        let tasks = Tasks {
            sums: instance.tasks.sums(),
            waits: instance.waiting.list().collect(),
            holdings: seats
                .into_iter()
                .filter_map(|seat| {
                    let task = seat.read()?;
                    Some(Holding { seat, task })
                })
                .collect(),
        };
        // What it costs, not how long it takes where processors are short.
        let before = own_cpu();
        let found = self.sampler.look(&pools, &tasks);
        let took = own_cpu().saturating_sub(before);
        self.took = took.min(SLOW / SHARE);
        let mut attention = Attention::Asleep;
        for (facts, found) in pools.iter().zip(&found) {
            attention = attention.max(self.look_at(facts, found, &tasks, now));
        }
        let alive = |id: &u64| pools.iter().any(|facts| facts.id.0.get() == *id);
        self.episodes.retain(|id, _| alive(id));
        self.unnamed
            .retain_mut(|episode| !episode.gets_names(now, &shared));
        if !self.unnamed.is_empty() {
            attention = attention.max(Attention::Slow);
        }
        self.probed.retain(|id, _| alive(id));
        self.logged.retain(|id, _| alive(id));
        let on_pool = pools.iter().zip(&found);
        self.long_tasks
            .look(&tasks, on_pool, now, &shared, &self.reporter);
        if tasks.sums.queued > 0 || self.long_tasks.have_unsaid() {
            Attention::Fast
        } else if tasks.sums.running > 0 {
            attention.max(Attention::Slow)
        } else {
            attention
        }
    }

    fn look_at(&mut self, facts: &Facts, found: &Found<'_>, tasks: &Tasks, now: u64) -> Attention {
        let shared = Arc::clone(&self.shared);
        let clock = &shared.instance.clock;
        let (pool, id) = (&facts.pool, facts.id.0.get());
        pool.set_sample(found.sample);
        let probe = pool.probe.waits_since();
        let waited = probe.map(|sent| now.saturating_sub(sent));
        let patience = clock.ticks_in(PROBE_PATIENCE);
        let verdict = found.sample.verdict(pool.max(), (waited, patience));
        let waits = found.waits.iter().map(|waits| waits.since);
        let oldest = waits.chain(probe).min();
        // It was not when it was last looked at.
        let since = oldest.unwrap_or(now).max(self.looked).min(now);
        pool.saturated(now, verdict.is_saturated, since);
        if verdict.wants_probe && probe.is_none() {
            if !verdict.is_full {
                // What is not known yet may be in a moment, without a thread
                // started for it.
                self.probed.entry(id).or_insert(now);
            }
            self.probe(facts, now);
        }
        let look = Look {
            now,
            pool,
            found,
            verdict,
            steps: tasks.sums.steps,
            oldest,
        };
        if verdict.is_saturated && !self.episodes.contains_key(&id) {
            self.episodes
                .insert(id, Episode::begin(&look, since, &shared));
        }
        if let Some(episode) = self.episodes.get_mut(&id) {
            let moment = episode.go_on(&look, &mut self.sampler, &shared);
            self.say(facts.id, moment);
        }
        let is_busy = found.sample.busy().is_some_and(|busy| busy > 0);
        let is_suspect = self.episodes.contains_key(&id) || verdict.is_full || waited.is_some();
        if is_suspect || found.sample.queued > 0 {
            Attention::Fast
        } else if is_busy {
            Attention::Slow
        } else {
            Attention::Asleep
        }
    }

    /// Logs what there is to say of an episode, and ends it.
    fn say(&mut self, id: RuntimeId, moment: Option<Moment>) {
        let id = id.0.get();
        let Some(episode) = self.episodes.get_mut(&id) else {
            return;
        };
        let clock = &self.shared.instance.clock;
        let interval = clock.ticks_in(self.shared.options.log_interval);
        let now = clock.ticks();
        let is_said = match moment {
            Some(Moment::Began) => {
                let last = self.logged.get(&id);
                let is_due = last.is_none_or(|last| now.saturating_sub(*last) >= interval);
                if is_due {
                    self.logged.insert(id, now);
                }
                episode.is_logged = is_due;
                is_due
            }
            Some(Moment::Stuck) => true,
            Some(Moment::Ended) => episode.is_logged,
            None => false,
        };
        let finding = episode.finding();
        // One that was over before it could be said has its end said, too.
        let end = (moment == Some(Moment::Began) && finding.is_over).then_some(Moment::Ended);
        for moment in moment.into_iter().chain(end).filter(|_| is_said) {
            let report = Report::Pool(Box::new(finding.clone()), moment);
            if !self.reporter.send(report) {
                self.shared.findings.count_dropped(1);
            }
        }
        if finding.is_over {
            self.unnamed.extend(self.episodes.remove(&id));
        }
    }

    fn probe(&mut self, facts: &Facts, now: u64) {
        let clock = &self.shared.instance.clock;
        let interval = clock.ticks_in(self.shared.options.blocking_probe_interval);
        let last = self.probed.get(&facts.id.0.get());
        if last.is_none_or(|last| now.saturating_sub(*last) >= interval) {
            self.probed.insert(facts.id.0.get(), now);
            facts.pool.probe.want();
            // If it has no place, its turn comes again.
            self.reporter.send(Report::PoolProbes);
        }
    }
}
