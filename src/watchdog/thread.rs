use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::detect::{Observation, Sighted, observe};
use crate::error::{Error, Kind};
use crate::health::Shared;
use crate::primitive::{AtomicBool, Ordering};
use crate::slot::Slot;

const NAME: &str = "health-watchdog";

/// The longest time between two looks; the shortest is half the threshold.
const MAX_TICK: Duration = Duration::from_millis(10);

/// How long nothing must have been polled before the watchdog sleeps. Waking
/// it costs a worker one system call, so it does not sleep between two
/// requests of a busy service.
const REST: Duration = Duration::from_millis(200);

/// The running thread; ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
}

impl Watchdog {
    pub(crate) fn start(shared: Arc<Shared>) -> Result<Self, Error> {
        let stop = Arc::new(AtomicBool::new(false));
        let run = Loop::new(Arc::clone(&shared), Arc::clone(&stop));
        std::thread::Builder::new()
            .name(NAME.into())
            .spawn(move || run.run())
            .map_err(|source| Kind::Thread { name: NAME, source })?;
        Ok(Self { shared, stop })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // `Release` for form; the thread reads nothing that was written before.
        self.stop.store(true, Ordering::Release);
        self.shared.instance.alarm.wake();
    }
}

struct Loop {
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    tick: Duration,
    watched: Vec<Watched>,
    generation: u64,
    /// When something was last seen to happen, in ticks.
    busy: u64,
    probed: u64,
}

struct Watched {
    slot: Arc<Slot>,
    thread: Arc<str>,
    activity: u64,
    last: Option<Sighted>,
}

impl Loop {
    fn new(shared: Arc<Shared>, stop: Arc<AtomicBool>) -> Self {
        let tick = (shared.options.threshold / 2).min(MAX_TICK);
        let now = shared.instance.clock.ticks();
        Self {
            shared,
            stop,
            tick,
            watched: Vec::new(),
            generation: 0,
            busy: now,
            probed: now,
        }
    }

    fn run(mut self) {
        let instance = Arc::clone(&self.shared.instance);
        instance.alarm.watched_by(std::thread::current());
        let rest = instance.clock.ticks_in(REST.max(self.tick * 2));
        while !self.stopped() {
            let now = self.look();
            if now.saturating_sub(self.busy) < rest {
                self.nap();
                continue;
            }
            // Say so first, then look once more a tick later: by then every
            // poll that began before workers could see it is visible here.
            instance.alarm.set_asleep(true);
            self.nap();
            let now = self.look();
            if now != self.busy {
                while instance.alarm.is_asleep() && !self.stopped() {
                    std::thread::park();
                }
            }
            instance.alarm.set_asleep(false);
            self.busy = instance.clock.ticks();
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Sleeps for a tick and records how late it woke.
    fn nap(&self) {
        let clock = &self.shared.instance.clock;
        let due = clock.ticks() + clock.ticks_in(self.tick);
        std::thread::park_timeout(self.tick);
        let late = clock.ticks().saturating_sub(due);
        let bounds = &self.shared.instance.recorder.bounds().delay;
        self.shared.lateness.record_exclusive(bounds, late);
    }

    /// Looks at every thread. Gives the time of the look, which is `busy` if
    /// anything is going on.
    fn look(&mut self) -> u64 {
        let now = self.shared.instance.clock.ticks();
        // Nothing in here panics but by a bug; then the service must go on, and
        // so must the next look.
        if catch_unwind(AssertUnwindSafe(|| self.look_at_all(now))).is_err() {
            self.shared.findings.count_dropped(1);
        }
        now
    }

    fn look_at_all(&mut self, now: u64) {
        if let Some(slots) = self.shared.instance.slots.refresh(&mut self.generation) {
            self.adopt(slots);
        }
        let instance = &self.shared.instance;
        let mut sightings: Vec<(Observation, Arc<str>)> = Vec::new();
        let (mut lost, mut was_running) = (0, false);
        let mut ended = Vec::new();
        for watched in &mut self.watched {
            let activity = watched.slot.activity();
            if activity != watched.activity || activity & 1 == 1 {
                self.busy = now;
            } else if watched.last.is_none() {
                continue;
            }
            watched.activity = activity;
            was_running |= watched.last.is_some();
            let reading = watched.slot.read();
            ended.clear();
            lost += watched.slot.take_ended(|poll| ended.push(poll));
            observe(
                &mut watched.last,
                reading,
                &ended,
                now,
                instance.threshold,
                |seen| {
                    sightings.push((seen, Arc::clone(&watched.thread)));
                },
            );
        }
        if !sightings.is_empty() || was_running || lost > 0 {
            let wall = instance.clock.wall();
            let (findings, routes) = (&self.shared.findings, &instance.routes);
            for event in findings.update(&sightings, lost, now, wall, &instance.clock, routes) {
                if !event.log() {
                    findings.count_dropped(1);
                }
            }
        }
        self.probe(now);
    }

    /// Takes over a new list of threads. What a thread left in its slot before
    /// it ended is still read, in the look that follows; the slot goes with the
    /// next change of the list.
    fn adopt(&mut self, slots: Vec<Arc<Slot>>) {
        let mut old = std::mem::take(&mut self.watched);
        self.watched = slots
            .into_iter()
            .map(|slot| {
                let known = old
                    .iter()
                    .position(|watched| Arc::ptr_eq(&watched.slot, &slot));
                match known {
                    Some(at) => old.swap_remove(at),
                    None => Watched {
                        thread: slot.thread().into(),
                        activity: 0,
                        last: None,
                        slot,
                    },
                }
            })
            .collect();
        old.retain(|watched| watched.slot.activity() != watched.activity || watched.last.is_some());
        self.watched.append(&mut old);
    }

    fn probe(&mut self, now: u64) {
        let interval = self.shared.options.scheduler_lag_interval;
        let clock = &self.shared.instance.clock;
        if now.saturating_sub(self.probed) >= clock.ticks_in(interval) {
            self.probed = now;
            self.shared.runtimes.probe(clock);
        }
    }
}
