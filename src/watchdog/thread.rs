use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::Cause;
use super::detect::observe;
use super::hindsight::Reading;
use super::inquiry::{Inquiry, Tools, settle};
use super::limit::CaptureLimit;
use super::report::{Report, Reporter};
use super::watched::Watched;
use crate::capture::Capturer;
use crate::error::{Error, Kind};
use crate::health::Shared;
use crate::primitive::{AtomicBool, Ordering};
use crate::slot::{EndedPoll, InProgress, Slot};

const NAME: &str = "health-watchdog";

/// The longest time between two looks; the shortest is half the threshold.
const MAX_TICK: Duration = Duration::from_millis(10);

/// How long nothing must have been polled before the watchdog sleeps. Waking
/// it costs a worker one system call, so it does not sleep between two
/// requests of a busy service.
const REST: Duration = Duration::from_millis(200);

/// From how much lateness on the machine is taken to be short of processors,
/// and for how long.
const LATE: Duration = Duration::from_millis(2);
const SHORTAGE: Duration = Duration::from_secs(1);

/// Of how many threads the clocks are read at each look, should the next one
/// come too late for a whole poll: 3 µs each. On a machine that is short of
/// processors of more.
const READINGS: usize = 4;
const READINGS_IN_SHORTAGE: usize = 16;

/// Threads that are waited for in one round of looks, until they are met in the
/// call they are in most of the time: the others must not wait long.
const WAITS: usize = 2;

/// The running thread; ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
}

impl Watchdog {
    pub(crate) fn start(shared: Arc<Shared>, reporter: Reporter) -> Result<Self, Error> {
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let (data, ended) = (Arc::clone(&shared), Arc::clone(&stop));
        std::thread::Builder::new()
            .name(NAME.into())
            .spawn(move || {
                // On this thread: what it opens is this thread's own.
                let run = Loop::new(data, ended, reporter);
                let _ = tell.send(());
                drop(tell);
                run.run();
            })
            .map_err(|source| Kind::Thread { name: NAME, source })?;
        // `build_info` says how threads are read: be sure of it first. An
        // error means that the thread has panicked; it then watches nothing.
        let _ = told.recv();
        Ok(Self { shared, stop })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // `Release` for form; the thread reads nothing that was written before.
        self.stop.store(true, Ordering::Release);
        self.shared.instance.terms.alarm.wake();
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
    capturer: Capturer,
    limit: CaptureLimit,
    /// When it looked last, in ticks.
    looked: u64,
    /// How late this look is.
    lateness: Duration,
    /// When it was last later than [`LATE`], in ticks.
    late: Option<u64>,
    /// Whether that was of late.
    is_machine_short: bool,
    /// What is left of [`WAITS`].
    waits: usize,
    /// Dropped last: its thread then lets go of `shared`, not this one, whose
    /// descriptors are not those that `shared` may own.
    reporter: Reporter,
}

/// What a look works with, of a [`Loop`].
macro_rules! tools {
    ($of:ident) => {
        Tools {
            capturer: &mut $of.capturer,
            limit: &mut $of.limit,
            clock: &$of.shared.instance.clock,
            threshold: $of.shared.instance.terms.threshold,
            lateness: $of.lateness,
            is_machine_short: $of.is_machine_short,
            runtimes: &$of.shared.runtimes,
            waits: &mut $of.waits,
            count: &|result| $of.shared.count_capture(result),
        }
    };
}

impl Loop {
    fn new(shared: Arc<Shared>, stop: Arc<AtomicBool>, reporter: Reporter) -> Self {
        let tick = (shared.options.threshold / 2).min(MAX_TICK);
        let options = &shared.options;
        #[cfg_attr(
            not(all(feature = "capture", target_os = "linux")),
            expect(unused_mut, reason = "nobody asks")
        )]
        let mut capturer = Capturer::new(
            options.interrupt_running_threads,
            options.sample_under_seccomp,
        );
        #[cfg(all(feature = "capture", target_os = "linux"))]
        {
            let reporter = reporter.clone();
            capturer.ask_by(Box::new(move |number, inode| {
                reporter.socket(number, inode)
            }));
        }
        let _ = shared.capture_mode.set(capturer.mode());
        reporter.send(Report::Started {
            capture: capturer.mode(),
        });
        let clock = &shared.instance.clock;
        let now = clock.ticks();
        let (per_second, interval) = (options.captures_per_second, options.capture_interval);
        let limit = CaptureLimit::new(per_second, interval, clock);
        Self {
            capturer,
            limit,
            looked: now,
            lateness: Duration::ZERO,
            late: None,
            is_machine_short: false,
            waits: WAITS,
            reporter,
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
        instance.terms.alarm.watched_by(std::thread::current());
        if self.shared.options.captures_per_second > 0 {
            // Nothing in there panics but by a bug; then there are no stacks.
            let _ = catch_unwind(AssertUnwindSafe(|| self.capturer.load()));
        }
        let rest = instance.clock.ticks_in(REST.max(self.tick * 2));
        while !self.stopped() {
            let now = self.look();
            if now.saturating_sub(self.busy) < rest {
                self.nap();
                continue;
            }
            // Say so first, then look once more a tick later: by then every
            // poll that began before workers could see it is visible here.
            instance.terms.alarm.set_asleep(true);
            self.nap();
            let now = self.look();
            if now != self.busy {
                while instance.terms.alarm.is_asleep() && !self.stopped() {
                    std::thread::park();
                }
            }
            instance.terms.alarm.set_asleep(false);
            self.busy = instance.clock.ticks();
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Sleeps until a tick after the last look, and records how late it woke:
    /// looks may take long, too.
    fn nap(&mut self) {
        let clock = &self.shared.instance.clock;
        let tick = clock.ticks_in(self.tick);
        let now = clock.ticks();
        // Never without a pause.
        let left = (self.looked + tick).saturating_sub(now).max(tick / 4);
        std::thread::park_timeout(clock.duration(left));
        let now = clock.ticks();
        let late = now.saturating_sub(self.looked + tick);
        let bounds = &self.shared.instance.recorder.bounds().delay;
        self.shared.lateness.record_exclusive(bounds, late);
        self.lateness = clock.duration(late);
        if self.lateness >= LATE {
            self.late = Some(now);
        }
        let shortage = clock.ticks_in(SHORTAGE);
        self.is_machine_short = self
            .late
            .is_some_and(|late| now.saturating_sub(late) < shortage);
    }

    /// Looks at every thread. Gives the time of the look, which is `busy` if
    /// anything is going on.
    fn look(&mut self) -> u64 {
        let now = self.shared.instance.clock.ticks();
        self.looked = now;
        // Nothing in here panics but by a bug; then the service must go on, and
        // so must the next look.
        if catch_unwind(AssertUnwindSafe(|| self.look_at_all(now))).is_err() {
            self.shared.findings.count_dropped(1);
            // All threads anew.
            self.generation = u64::MAX;
        }
        self.shared.looks.fetch_add(1, Ordering::Release);
        now
    }

    fn look_at_all(&mut self, now: u64) {
        let mut lost = 0;
        if let Some(slots) = self.shared.instance.slots.refresh(&mut self.generation) {
            self.adopt(slots.entries);
            lost += slots.lost;
        }
        self.waits = WAITS;
        let shared = Arc::clone(&self.shared);
        let instance = &shared.instance;
        let patience = instance.terms.threshold + instance.clock.ticks_in(self.tick);
        let mut sightings = Vec::new();
        let mut was_running = false;
        let mut readings = if self.is_machine_short {
            READINGS_IN_SHORTAGE
        } else {
            READINGS
        };
        let mut ended = Vec::new();
        let mut watched = std::mem::take(&mut self.watched);
        for watched in &mut watched {
            let activity = watched.slot.activity();
            if activity != watched.activity || activity & 1 == 1 {
                self.busy = now;
            } else if watched.last.is_none() && watched.inquiry.is_none() {
                continue;
            }
            watched.activity = activity;
            was_running |= watched.last.is_some();
            let reading = watched.slot.read();
            ended.clear();
            lost += watched.slot.take_ended(|poll| ended.push(poll));
            for poll in &mut ended {
                self.settle(watched, poll);
            }
            // What was read before a poll is kept as long as it is inquired into.
            let is_known = |poll: &InProgress| watched.is_inquired(poll.sequence);
            if !reading.as_ref().is_some_and(is_known) {
                watched.before = None;
                if readings > 0 {
                    readings -= 1;
                    let clock = &instance.clock;
                    watched.before = Reading::take(&self.capturer, &watched.thread, clock);
                }
            }
            if let Some(poll) = reading {
                self.inquire(watched, &poll, now);
            }
            let mut seen = Vec::new();
            observe(
                &mut watched.last,
                reading,
                &ended,
                now,
                instance.terms.threshold,
                |observation| seen.push(observation),
            );
            sightings.extend(
                seen.into_iter()
                    .map(|observation| watched.sight(observation, patience)),
            );
            if watched.last.is_none() && reading.is_none() {
                watched.inquiry = None;
            }
        }
        self.watched = watched;
        if !sightings.is_empty() || was_running || lost > 0 {
            let wall = instance.clock.wall();
            let (findings, routes) = (&shared.findings, &instance.routes);
            for event in findings.update(&sightings, lost, now, wall, &instance.clock, routes) {
                if !self.reporter.send(Report::Event(event)) {
                    findings.count_dropped(1);
                }
            }
        }
        shared.desk.answer(&mut self.capturer);
        self.probe(now);
    }

    /// Names the cause of a poll that ended without one, and counts it.
    fn settle(&mut self, watched: &Watched, poll: &mut EndedPoll) {
        if poll.cause != Cause::Unknown.into() {
            return;
        }
        let tools = tools!(self);
        let inquiry = watched.inquiry.as_ref();
        let inquiry = inquiry.filter(|inquiry| inquiry.sequence == poll.sequence);
        let readings = [watched.before, inquiry.and_then(Inquiry::baseline)];
        let seen_at = inquiry.map_or(Cause::Unknown, |inquiry| {
            inquiry.last_seen_at(tools.threshold)
        });
        poll.cause = match seen_at {
            Cause::Unknown => settle(readings, poll, &watched.thread, &tools).into(),
            cause => cause.into(),
        };
        let recorder = &self.shared.instance.recorder;
        recorder.record_without_thread(poll.series, |cells| {
            cells.blocking_poll(poll.cause, poll.ticks);
        });
    }

    /// Finds out more about a poll that is no longer short.
    fn inquire(&mut self, watched: &mut Watched, poll: &InProgress, now: u64) {
        let shared = &self.shared;
        let clock = &shared.instance.clock;
        let elapsed = now.saturating_sub(poll.start);
        // Most polls seen are young and will be over at the next tick; on a
        // machine short of processors that tick may come late.
        if elapsed < clock.ticks_in(self.tick / 2) && !self.is_machine_short {
            return;
        }
        let mut tools = tools!(self);
        let slot = &*watched.slot;
        let inquiry = match &mut watched.inquiry {
            Some(inquiry) if inquiry.sequence == poll.sequence => inquiry,
            other => other.insert(Inquiry::open(poll, slot, &watched.thread, &tools)),
        };
        inquiry.look(poll, elapsed, slot, &mut watched.thread, &mut tools);
        let interrupted = self.capturer.interrupted_calls();
        shared
            .interrupted_calls
            .store(interrupted, Ordering::Relaxed);
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
                    None => {
                        let thread = self.capturer.adopt(slot.thread_id());
                        Watched::new(slot, thread)
                    }
                }
            })
            .collect();
        for watched in old {
            if watched.slot.activity() != watched.activity || watched.last.is_some() {
                self.watched.push(watched);
            } else {
                self.capturer.release(watched.thread);
            }
        }
    }

    fn probe(&mut self, now: u64) {
        let interval = self.shared.options.scheduler_lag_interval;
        let clock = &self.shared.instance.clock;
        if now.saturating_sub(self.probed) >= clock.ticks_in(interval) {
            self.probed = now;
            // If it has no place, its turn comes again.
            self.reporter.send(Report::Probe);
            // Work that is not wrapped rings no bell; requests are seen here.
            self.shared.instance.pool_alarm.ring();
        }
    }
}
