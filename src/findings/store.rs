use std::sync::{Arc, Mutex};

use super::entries::Entries;
use super::{Event, Finding, PollUpdate, RoundUpdates};
use crate::instance::Instance;
use crate::model::Series;
use crate::sync::lock;

/// Blocking polls grouped into findings, at most `max` of them. The least recently seen is
/// evicted first. Evictions are counted.
#[derive(Debug)]
pub(crate) struct FindingStore {
    max: usize,
    /// Ticks between two log events of one finding.
    log_interval: u64,
    entries: Mutex<Entries>,
}

impl FindingStore {
    pub(crate) fn new(max: usize, log_interval: u64) -> Self {
        Self {
            max,
            log_interval,
            entries: Mutex::default(),
        }
    }

    /// Adds the updates of one round. Returns the events to log.
    pub(crate) fn update(&self, round: &RoundUpdates<'_>) -> Vec<Event> {
        let mut entries = lock(&self.entries);
        entries.dropped += round.lost;
        entries.begin_round();
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
        entries.end_round();
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
        // Read after the lock was taken: every route in the entries has a name by then.
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

#[cfg(test)]
mod tests {
    use super::super::Observation;
    use super::*;
    use crate::clock::Clock;
    use crate::model::{Cause, Method, Phase, RouteId};
    use crate::slot::{EndedPoll, InProgress, StackAnchor};
    use std::time::Duration;

    struct Fixture {
        store: FindingStore,
        instance: Instance,
    }

    impl Fixture {
        fn new(max: usize) -> Self {
            let instance = Instance::new(Clock::new(), Duration::from_millis(10), 8, None);
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
