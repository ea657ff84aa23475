use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use super::{Diagnosis, Event, Finding, PollUpdate};
use crate::capture::Place;
use crate::clock::Clock;
use crate::instance::Instance;
use crate::model::{Cause, Phase, Series};
use crate::sync::lock;

/// Findings, grouped and bounded: at most `max`. The least recently seen is evicted first,
/// and counted.
#[derive(Debug)]
pub(crate) struct FindingStore {
    max: usize,
    /// Ticks between two log events of one finding.
    log_interval: u64,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<Key, Entry>,
    dropped: u64,
}

/// What makes polls one finding.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    series: Series,
    cause: Cause,
    place: Option<Place>,
}

#[derive(Debug)]
struct Entry {
    phase: Phase,
    thread: Arc<str>,
    ended: Polls,
    running: Polls,
    /// In ticks.
    longest: u64,
    first_seen: SystemTime,
    last_seen: SystemTime,
    last_seen_ticks: u64,
    last_logged: Option<u64>,
    suppressed_events: u64,
    /// Of the poll seen last, with the last stack there was.
    diagnosis: Diagnosis,
}

#[derive(Clone, Copy, Debug, Default)]
struct Polls {
    count: u64,
    /// How many of them have a stack of their own.
    captured: u64,
    ticks: u64,
}

/// What one round of the watchdog has learned.
pub(crate) struct RoundUpdates<'r> {
    pub(crate) updates: &'r [PollUpdate],
    /// Blocking polls that ended and found no room in their thread's queue.
    pub(crate) lost: u64,
    /// When the round began, in ticks.
    pub(crate) now: u64,
    pub(crate) wall: SystemTime,
    pub(crate) instance: &'r Instance,
}

impl FindingStore {
    pub(crate) fn new(max: usize, log_interval: u64) -> Self {
        Self {
            max,
            log_interval,
            entries: Mutex::default(),
        }
    }

    /// Adds one round. Returns the events to log.
    pub(crate) fn update(&self, round: &RoundUpdates<'_>) -> Vec<Event> {
        let mut entries = lock(&self.entries);
        entries.dropped += round.lost;
        for entry in entries.by_key.values_mut() {
            entry.running = Polls::default();
        }
        let mut events = Vec::new();
        for update in round.updates {
            let entry = entries.entry_of(update, round.wall, self.max);
            entry.add(update, round);
            if update.is_new
                && let Some(suppressed) = entry.may_log(round.now, self.log_interval)
            {
                events.push(event(update, suppressed, round.instance));
            }
        }
        // An entry that its only poll has left, because its cause has changed.
        let is_used = |entry: &Entry| entry.ended.count + entry.running.count > 0;
        entries.by_key.retain(|_, entry| is_used(entry));
        events
    }

    /// Counts findings, blocking polls or log events that were lost elsewhere.
    pub(crate) fn count_dropped(&self, count: u64) {
        lock(&self.entries).dropped += count;
    }

    /// Returns how many findings were evicted, and blocking polls or log events lost, since
    /// the start.
    #[cfg(feature = "prometheus")]
    pub(crate) fn dropped(&self) -> u64 {
        lock(&self.entries).dropped
    }

    /// Returns all findings, the costliest first.
    pub(crate) fn list(&self, instance: &Instance) -> Vec<Finding> {
        let entries = lock(&self.entries);
        // After the lock: by then every route in the entries has a name.
        let names = instance.routes.list();
        let name = |series: Series| {
            let name = names.get(series.route().0 as usize);
            name.map_or_else(|| "".into(), Arc::clone)
        };
        let by_key = entries.by_key.iter();
        let mut findings: Vec<_> = by_key
            .map(|(key, entry)| entry.finding(key, name(key.series), &instance.clock))
            .collect();
        findings.sort_by(|a, b| b.total.cmp(&a.total).then_with(|| a.route.cmp(&b.route)));
        findings
    }
}

fn event(update: &PollUpdate, suppressed_events: u64, instance: &Instance) -> Event {
    let series = update.observation.series();
    Event {
        route: instance.routes.name(series.route()),
        method: series.method().as_str(),
        cause: update.cause(),
        phase: update.observation.phase(),
        thread: Arc::clone(&update.thread),
        still_running: update.observation.is_running(),
        elapsed: instance.clock.duration(update.observation.ticks()),
        suppressed_events,
        diagnosis: update.diagnosis.clone(),
    }
}

impl Entries {
    /// The entry that an update belongs to, made if need be.
    fn entry_of(&mut self, update: &PollUpdate, wall: SystemTime, max: usize) -> &mut Entry {
        let (series, phase) = (update.observation.series(), update.observation.phase());
        let cause = update.cause();
        let key = match update
            .known_diagnosis()
            .and_then(|known| known.stack.as_ref())
        {
            Some(stack) => Key {
                series,
                cause,
                place: stack.place.clone(),
            },
            None => self.latest_of_kind(series, cause, phase),
        };
        if !self.by_key.contains_key(&key) {
            self.move_unplaced_to(&key, phase);
        }
        if !self.by_key.contains_key(&key) {
            self.evict_down_to(max.saturating_sub(1));
        }
        let new = || Entry::new(&update.thread, phase, wall);
        self.by_key.entry(key).or_insert_with(new)
    }

    /// Where a poll without a stack of its own belongs: to the finding of the same kind
    /// that was seen last.
    fn latest_of_kind(&self, series: Series, cause: Cause, phase: Phase) -> Key {
        let is_of_kind = |key: &Key, entry: &Entry| {
            key.series == series && key.cause == cause && entry.phase == phase
        };
        self.by_key
            .iter()
            .filter(|(key, entry)| is_of_kind(key, entry))
            .max_by_key(|(_, entry)| entry.last_seen_ticks)
            .map(|(key, _)| key.clone())
            .unwrap_or(Key {
                series,
                cause,
                place: None,
            })
    }

    /// Polls seen before the first stack of their kind move to the place that it shows.
    fn move_unplaced_to(&mut self, key: &Key, phase: Phase) {
        let unplaced = Key {
            place: None,
            ..key.clone()
        };
        let is_same = |entry: &Entry| {
            entry.phase == phase && entry.ended.captured + entry.running.captured == 0
        };
        if self.by_key.get(&unplaced).is_some_and(is_same)
            && let Some(mut entry) = self.by_key.remove(&unplaced)
        {
            // No event has named the place yet.
            entry.last_logged = None;
            self.by_key.insert(key.clone(), entry);
        }
    }

    /// Evicts the least recently seen until at most `max` are left.
    fn evict_down_to(&mut self, max: usize) {
        while self.by_key.len() > max {
            let oldest = self
                .by_key
                .iter()
                .min_by_key(|(_, entry)| entry.last_seen_ticks)
                .map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { return };
            self.by_key.remove(&oldest);
            self.dropped += 1;
        }
    }
}

impl Entry {
    fn new(thread: &Arc<str>, phase: Phase, wall: SystemTime) -> Self {
        Self {
            phase,
            thread: Arc::clone(thread),
            ended: Polls::default(),
            running: Polls::default(),
            longest: 0,
            first_seen: wall,
            last_seen: wall,
            last_seen_ticks: 0,
            last_logged: None,
            suppressed_events: 0,
            diagnosis: Diagnosis::default(),
        }
    }

    fn add(&mut self, update: &PollUpdate, round: &RoundUpdates<'_>) {
        let ticks = update.observation.ticks();
        self.phase = update.observation.phase();
        self.thread = Arc::clone(&update.thread);
        self.longest = self.longest.max(ticks);
        self.last_seen = round.wall;
        self.last_seen_ticks = round.now;
        let diagnosis = update.known_diagnosis();
        if let Some(diagnosis) = diagnosis {
            self.learn(diagnosis);
        }
        let polls = if update.observation.is_running() {
            &mut self.running
        } else {
            &mut self.ended
        };
        polls.count += 1;
        polls.captured += u64::from(diagnosis.is_some_and(|known| known.stack.is_some()));
        polls.ticks += ticks;
    }

    /// Keeps what the newest poll has shown, and the last known value of what it has not
    /// shown.
    fn learn(&mut self, new: &Diagnosis) {
        let old = std::mem::replace(&mut self.diagnosis, new.clone());
        let kept = &mut self.diagnosis;
        kept.stack = kept.stack.take().or(old.stack);
        kept.call = kept.call.take().or(old.call);
        if kept.also.is_empty() {
            kept.also = old.also;
        }
    }

    /// Whether an event is due, and how many were suppressed before it.
    fn may_log(&mut self, now: u64, interval: u64) -> Option<u64> {
        let is_due = self
            .last_logged
            .is_none_or(|last| now.saturating_sub(last) >= interval);
        if is_due {
            self.last_logged = Some(now);
            Some(std::mem::take(&mut self.suppressed_events))
        } else {
            self.suppressed_events += 1;
            None
        }
    }

    fn finding(&self, key: &Key, route: Arc<str>, clock: &Clock) -> Finding {
        let (ended, running, diagnosis) = (&self.ended, &self.running, &self.diagnosis);
        let stack = diagnosis.stack.as_ref();
        Finding {
            route,
            method: key.series.method().as_str(),
            cause: key.cause,
            place: key.place.clone(),
            call: diagnosis.call.clone(),
            phase: self.phase,
            thread: Arc::clone(&self.thread),
            polls: ended.count + running.count,
            captured: ended.captured + running.captured,
            running: running.count,
            total: clock.duration(ended.ticks + running.ticks),
            longest: clock.duration(self.longest),
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            times: diagnosis.times,
            lateness: diagnosis.lateness,
            confidence: stack.map(|stack| stack.confidence),
            stack: stack.map_or_else(|| Arc::new([]) as _, |stack| Arc::clone(&stack.frames)),
            also: diagnosis.also.clone(),
        }
    }
}

impl PollUpdate {
    /// The diagnosis, unless the poll was counted under another cause than it names.
    fn known_diagnosis(&self) -> Option<&Diagnosis> {
        let cause = self.cause();
        let diagnosis = self.diagnosis.as_deref();
        diagnosis.filter(|diagnosis| diagnosis.cause() == cause)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Observation;
    use super::*;
    use crate::model::{Method, RouteId};
    use crate::slot::{EndedPoll, InProgress, StackAnchor};
    use std::time::Duration;

    struct Fixture {
        store: FindingStore,
        instance: Instance,
    }

    impl Fixture {
        fn new(max: usize) -> Self {
            let instance = Instance::new(Clock::new(), Duration::from_millis(10), 8, 0);
            for name in ["/a", "/b", "/c"] {
                instance.routes.intern(name);
            }
            Self {
                store: FindingStore::new(max, 1_000),
                instance,
            }
        }

        fn update(&self, now: u64, observations: &[Observation]) -> Vec<Event> {
            let thread: Arc<str> = "worker".into();
            let updates: Vec<_> = observations
                .iter()
                .map(|observation| PollUpdate {
                    observation: *observation,
                    thread: Arc::clone(&thread),
                    diagnosis: None,
                    is_new: match observation {
                        Observation::Running { first, .. } => *first,
                        Observation::Ended { was_seen, .. } => !was_seen,
                    },
                })
                .collect();
            self.store.update(&RoundUpdates {
                updates: &updates,
                lost: 0,
                now,
                wall: self.instance.clock.wall(),
                instance: &self.instance,
            })
        }

        fn list(&self) -> Vec<Finding> {
            self.store.list(&self.instance)
        }
    }

    fn series(route: u32) -> Series {
        Series::new(RouteId(3 + route), Method::Get)
    }

    fn running(route: u32, elapsed: u64, first: bool) -> Observation {
        let poll = InProgress {
            sequence: 1,
            start: 0,
            series: series(route),
            phase: Phase::Poll,
            anchor: StackAnchor::default(),
        };
        Observation::Running {
            poll,
            elapsed,
            first,
        }
    }

    fn ended(route: u32, ticks: u64, was_seen: bool) -> Observation {
        let poll = EndedPoll {
            sequence: 1,
            start: 0,
            ticks,
            series: series(route),
            phase: Phase::Poll,
            cause: Cause::Unknown,
        };
        Observation::Ended { poll, was_seen }
    }

    #[test]
    fn a_poll_is_counted_once_from_first_observation_to_end() {
        let fixture = Fixture::new(8);
        assert_eq!(fixture.update(10, &[running(0, 10, true)]).len(), 1);
        assert_eq!(fixture.update(20, &[running(0, 20, false)]).len(), 0);
        let found = fixture.list();
        assert_eq!((found[0].polls, found[0].running), (1, 1));
        fixture.update(30, &[ended(0, 27, true)]);
        let found = fixture.list();
        assert_eq!((found[0].polls, found[0].running), (1, 0));
        assert_eq!(found[0].total, fixture.instance.clock.duration(27));
        assert_eq!(&*found[0].route, "/a");
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn events_are_limited_and_say_how_many_were_suppressed() {
        let fixture = Fixture::new(8);
        let events = fixture.update(1_000, &[ended(0, 20, false)]);
        assert_eq!(events[0].suppressed_events, 0);
        for i in 0..5 {
            assert_eq!(fixture.update(1_001 + i, &[ended(0, 20, false)]).len(), 0);
        }
        // Another finding has its own limit.
        assert_eq!(fixture.update(1_010, &[running(1, 20, true)]).len(), 1);
        let events = fixture.update(2_000, &[ended(0, 20, false)]);
        assert_eq!(events[0].suppressed_events, 5);
        assert!(!events[0].still_running);
    }

    #[test]
    fn the_least_recently_seen_finding_is_evicted_and_counted() {
        let fixture = Fixture::new(2);
        fixture.update(1, &[ended(0, 20, false)]);
        fixture.update(2, &[ended(1, 20, false)]);
        fixture.update(3, &[ended(0, 20, false)]);
        fixture.update(4, &[ended(2, 30, false)]);
        let routes: Vec<_> = fixture.list().iter().map(|f| f.route.to_string()).collect();
        assert_eq!(routes, ["/a", "/c"]);
        assert_eq!(lock(&fixture.store.entries).dropped, 1);
    }
}
