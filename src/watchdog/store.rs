use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use super::detect::Observation;
use super::event::Event;
use super::inquiry::Diagnosis;
use super::{Cause, Finding};
use crate::capture::Place;
use crate::clock::Clock;
use crate::primitive::lock;
use crate::recorder::Series;
use crate::route::{Interner, method_name};
use crate::slot::Phase;

/// Findings, grouped and bounded: at most `max`; the one seen longest ago
/// leaves first, and is counted.
#[derive(Debug)]
pub(crate) struct FindingStore {
    max: usize,
    /// Ticks between two log events of one finding.
    log_interval: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    dropped: u64,
}

type Key = (Series, Cause, Option<Place>);

#[derive(Debug)]
struct Entry {
    phase: Phase,
    thread: Arc<str>,
    /// Polls ended, and how many of them had a stack of their own.
    ended: [u64; 2],
    ended_ticks: u64,
    running: [u64; 2],
    running_ticks: u64,
    longest: u64,
    first_seen: SystemTime,
    last_seen: SystemTime,
    last_seen_ticks: u64,
    last_logged: Option<u64>,
    left_out: u64,
    /// Of the poll seen last; with the last stack there was.
    diagnosis: Diagnosis,
}

/// What one tick of the watchdog has seen of one thread.
#[derive(Debug)]
pub(super) struct Sighting {
    pub(super) observation: Observation,
    pub(super) thread: Arc<str>,
    pub(super) diagnosis: Option<Arc<Diagnosis>>,
    /// Whether the poll is to be announced: once, as soon as its cause is known.
    pub(super) is_new: bool,
}

impl Sighting {
    fn cause(&self) -> Cause {
        match &self.observation {
            Observation::Running { .. } => self
                .diagnosis
                .as_ref()
                .map_or(Cause::Unknown, |diagnosis| diagnosis.cause()),
            Observation::Ended { poll, .. } => Cause::from_id(poll.cause),
        }
    }
}

impl FindingStore {
    pub(crate) fn new(max: usize, log_interval: u64) -> Self {
        Self {
            max,
            log_interval,
            state: Mutex::default(),
        }
    }

    /// Takes in one tick's observations; gives the events to log.
    pub(super) fn update(
        &self,
        sightings: &[Sighting],
        lost: u64,
        now: u64,
        wall: SystemTime,
        clock: &Clock,
        routes: &Interner,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        let mut state = lock(&self.state);
        state.dropped += lost;
        for entry in state.entries.values_mut() {
            entry.running = [0; 2];
            entry.running_ticks = 0;
        }
        for sighting in sightings {
            let (series, phase, ticks) = match &sighting.observation {
                Observation::Running { poll, elapsed, .. } => (poll.series, poll.phase, *elapsed),
                Observation::Ended { poll, .. } => (poll.series, poll.phase, poll.ticks),
            };
            let cause = sighting.cause();
            let diagnosis = sighting
                .diagnosis
                .as_deref()
                .filter(|diagnosis| diagnosis.cause() == cause);
            let stack = diagnosis.and_then(|diagnosis| diagnosis.stack.as_ref());
            let key = match stack {
                Some(stack) => (series, cause, stack.place.clone()),
                None => state.latest(series, cause, phase),
            };
            if !state.entries.contains_key(&key) {
                state.adopt_placeless(&key, phase);
            }
            if !state.entries.contains_key(&key) {
                state.make_room(self.max);
            }
            let entry = state
                .entries
                .entry(key)
                .or_insert_with(|| Entry::new(&sighting.thread, phase, wall));
            entry.phase = phase;
            entry.thread = Arc::clone(&sighting.thread);
            entry.longest = entry.longest.max(ticks);
            entry.last_seen = wall;
            entry.last_seen_ticks = now;
            if let Some(diagnosis) = diagnosis {
                entry.learn(diagnosis);
            }
            let counted = match sighting.observation {
                Observation::Running { .. } => {
                    entry.running_ticks += ticks;
                    &mut entry.running
                }
                Observation::Ended { .. } => {
                    entry.ended_ticks += ticks;
                    &mut entry.ended
                }
            };
            counted[0] += 1;
            counted[1] += u64::from(stack.is_some());
            if !sighting.is_new {
                continue;
            }
            if let Some(left_out) = entry.may_log(now, self.log_interval) {
                events.push(Event {
                    route: routes.name(series.route()),
                    method: method_name(series.method()),
                    cause,
                    phase,
                    thread: Arc::clone(&sighting.thread),
                    still_running: matches!(sighting.observation, Observation::Running { .. }),
                    elapsed: clock.duration(ticks),
                    left_out,
                    diagnosis: sighting.diagnosis.clone(),
                });
            }
        }
        // A poll whose cause has become another has left nothing behind.
        state
            .entries
            .retain(|_, entry| entry.ended[0] + entry.running[0] > 0);
        events
    }

    /// Something else of the findings was lost: counted with them.
    pub(crate) fn count_dropped(&self, count: u64) {
        lock(&self.state).dropped += count;
    }

    /// Findings, and what found no place, since the start.
    pub(crate) fn dropped(&self) -> u64 {
        lock(&self.state).dropped
    }

    /// All findings, the costliest first.
    pub(crate) fn list(&self, clock: &Clock, routes: &Interner) -> Vec<Finding> {
        let state = lock(&self.state);
        // After the lock: each route in there has a name by then.
        let names = routes.list();
        let mut findings: Vec<_> = state
            .entries
            .iter()
            .map(|((series, cause, place), entry)| Finding {
                route: names
                    .get(series.route().0 as usize)
                    .map_or_else(|| "".into(), Arc::clone),
                method: method_name(series.method()),
                cause: *cause,
                place: place.clone(),
                call: entry.diagnosis.call.clone(),
                phase: entry.phase,
                thread: Arc::clone(&entry.thread),
                polls: entry.ended[0] + entry.running[0],
                captured: entry.ended[1] + entry.running[1],
                running: entry.running[0],
                total: clock.duration(entry.ended_ticks + entry.running_ticks),
                longest: clock.duration(entry.longest),
                first_seen: entry.first_seen,
                last_seen: entry.last_seen,
                times: entry.diagnosis.times,
                lateness: entry.diagnosis.lateness,
                confidence: entry.diagnosis.stack.as_ref().map(|stack| stack.confidence),
                stack: entry
                    .diagnosis
                    .stack
                    .as_ref()
                    .map_or_else(|| Arc::new([]) as _, |stack| Arc::clone(&stack.frames)),
                also: entry.diagnosis.also.clone(),
            })
            .collect();
        findings.sort_by(|a, b| b.total.cmp(&a.total).then_with(|| a.route.cmp(&b.route)));
        findings
    }
}

impl State {
    /// Where a poll without a stack of its own belongs: to the finding of its
    /// kind that was seen last.
    fn latest(&self, series: Series, cause: Cause, phase: Phase) -> Key {
        self.entries
            .iter()
            .filter(|(key, entry)| (key.0, key.1) == (series, cause) && entry.phase == phase)
            .max_by_key(|(_, entry)| entry.last_seen_ticks)
            .map_or((series, cause, None), |(key, _)| key.clone())
    }

    /// What was seen before the first stack of its kind goes to the place that
    /// stack shows.
    fn adopt_placeless(&mut self, key: &Key, phase: Phase) {
        let placeless = (key.0, key.1, None);
        let is_same =
            |entry: &Entry| entry.phase == phase && entry.ended[1] + entry.running[1] == 0;
        if self.entries.get(&placeless).is_some_and(is_same)
            && let Some(mut entry) = self.entries.remove(&placeless)
        {
            // Its place was not logged.
            entry.last_logged = None;
            self.entries.insert(key.clone(), entry);
        }
    }

    fn make_room(&mut self, max: usize) {
        while self.entries.len() >= max {
            let oldest = self
                .entries
                .iter()
                .min_by_key(|(_, entry)| entry.last_seen_ticks)
                .map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { return };
            self.entries.remove(&oldest);
            self.dropped += 1;
        }
    }
}

impl Entry {
    fn new(thread: &Arc<str>, phase: Phase, wall: SystemTime) -> Self {
        Self {
            phase,
            thread: Arc::clone(thread),
            ended: [0; 2],
            ended_ticks: 0,
            running: [0; 2],
            running_ticks: 0,
            longest: 0,
            first_seen: wall,
            last_seen: wall,
            last_seen_ticks: 0,
            last_logged: None,
            left_out: 0,
            diagnosis: Diagnosis::default(),
        }
    }

    /// Keeps what the newest poll has shown, and of what it has not shown the
    /// last there was.
    fn learn(&mut self, new: &Diagnosis) {
        let old = std::mem::replace(&mut self.diagnosis, new.clone());
        let kept = &mut self.diagnosis;
        kept.stack = kept.stack.take().or(old.stack);
        kept.call = kept.call.take().or(old.call);
        if kept.also.is_empty() {
            kept.also = old.also;
        }
    }

    /// Whether it is time for an event, and how many were left out before it.
    fn may_log(&mut self, now: u64, interval: u64) -> Option<u64> {
        let due = self
            .last_logged
            .is_none_or(|last| now.saturating_sub(last) >= interval);
        if due {
            self.last_logged = Some(now);
            Some(std::mem::take(&mut self.left_out))
        } else {
            self.left_out += 1;
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::{MethodId, RouteId};
    use crate::slot::{EndedPoll, InProgress};

    struct Fixture {
        store: FindingStore,
        clock: Clock,
        routes: Interner,
    }

    impl Fixture {
        fn new(max: usize) -> Self {
            let routes = Interner::new(8);
            for name in ["/a", "/b", "/c"] {
                routes.intern(name);
            }
            Self {
                store: FindingStore::new(max, 1_000),
                clock: Clock::new(),
                routes,
            }
        }

        fn update(&self, now: u64, observations: &[Observation]) -> Vec<Event> {
            let thread: Arc<str> = "worker".into();
            let sightings: Vec<_> = observations
                .iter()
                .map(|seen| Sighting {
                    observation: *seen,
                    thread: Arc::clone(&thread),
                    diagnosis: None,
                    is_new: match seen {
                        Observation::Running { first, .. } => *first,
                        Observation::Ended { sighted, .. } => !sighted,
                    },
                })
                .collect();
            let wall = self.clock.wall();
            self.store
                .update(&sightings, 0, now, wall, &self.clock, &self.routes)
        }

        fn list(&self) -> Vec<Finding> {
            self.store.list(&self.clock, &self.routes)
        }
    }

    fn series(route: u32) -> Series {
        Series::new(RouteId(3 + route), MethodId(0))
    }

    fn running(route: u32, elapsed: u64, first: bool) -> Observation {
        let poll = InProgress {
            sequence: 1,
            start: 0,
            series: series(route),
            phase: Phase::Poll,
            mark: crate::slot::Mark::default(),
        };
        Observation::Running {
            poll,
            elapsed,
            first,
        }
    }

    fn ended(route: u32, ticks: u64, sighted: bool) -> Observation {
        let poll = EndedPoll {
            sequence: 1,
            start: 0,
            ticks,
            series: series(route),
            phase: Phase::Poll,
            cause: Cause::Unknown.into(),
        };
        Observation::Ended { poll, sighted }
    }

    #[test]
    fn a_poll_is_counted_once_from_first_sight_to_end() {
        let fixture = Fixture::new(8);
        assert_eq!(fixture.update(10, &[running(0, 10, true)]).len(), 1);
        assert_eq!(fixture.update(20, &[running(0, 20, false)]).len(), 0);
        let found = fixture.list();
        assert_eq!((found[0].polls, found[0].running), (1, 1));
        fixture.update(30, &[ended(0, 27, true)]);
        let found = fixture.list();
        assert_eq!((found[0].polls, found[0].running), (1, 0));
        assert_eq!(found[0].total, fixture.clock.duration(27));
        assert_eq!(&*found[0].route, "/a");
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn events_are_limited_and_say_what_they_left_out() {
        let fixture = Fixture::new(8);
        assert_eq!(fixture.update(1_000, &[ended(0, 20, false)])[0].left_out, 0);
        for i in 0..5 {
            assert_eq!(fixture.update(1_001 + i, &[ended(0, 20, false)]).len(), 0);
        }
        // Another finding has its own limit.
        assert_eq!(fixture.update(1_010, &[running(1, 20, true)]).len(), 1);
        let events = fixture.update(2_000, &[ended(0, 20, false)]);
        assert_eq!(events[0].left_out, 5);
        assert!(!events[0].still_running);
    }

    #[test]
    fn the_finding_seen_longest_ago_leaves_and_is_counted() {
        let fixture = Fixture::new(2);
        fixture.update(1, &[ended(0, 20, false)]);
        fixture.update(2, &[ended(1, 20, false)]);
        fixture.update(3, &[ended(0, 20, false)]);
        fixture.update(4, &[ended(2, 30, false)]);
        let routes: Vec<_> = fixture.list().iter().map(|f| f.route.to_string()).collect();
        assert_eq!(routes, ["/a", "/c"]);
        assert_eq!(fixture.store.dropped(), 1);
    }
}
