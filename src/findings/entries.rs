use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::{Diagnosis, Finding, PollUpdate, RoundUpdates};
use crate::capture::Place;
use crate::clock::Clock;
use crate::model::{Cause, Phase, Series};

/// The findings of one [`FindingStore`](super::FindingStore), by what their polls have in
/// common.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) by_key: HashMap<Key, Entry>,
    pub(super) dropped: u64,
}

/// Polls with the same key belong to one finding.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) series: Series,
    cause: Cause,
    place: Option<Place>,
}

#[derive(Debug)]
pub(super) struct Entry {
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
    /// The diagnosis of the most recently seen poll; stack, call and other causes may be from
    /// an earlier one.
    diagnosis: Diagnosis,
}

#[derive(Clone, Copy, Debug, Default)]
struct Polls {
    count: u64,
    /// How many of them have a stack of their own.
    captured: u64,
    ticks: u64,
}

impl Entries {
    /// Forgets which polls were running: the updates of each round name all of them.
    pub(super) fn begin_round(&mut self) {
        for entry in self.by_key.values_mut() {
            entry.running = Polls::default();
        }
    }

    /// Removes entries without polls. One remains if the cause of its only poll has changed.
    pub(super) fn end_round(&mut self) {
        let is_used = |entry: &Entry| entry.ended.count + entry.running.count > 0;
        self.by_key.retain(|_, entry| is_used(entry));
    }

    /// Returns the entry that an update belongs to; creates it if it does not exist.
    pub(super) fn entry_of(
        &mut self,
        update: &PollUpdate,
        wall: SystemTime,
        max: usize,
    ) -> &mut Entry {
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

    /// Returns the key for a poll without a stack of its own: that of the most recently seen
    /// finding of the same kind.
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

    /// Moves polls that were seen before the first stack of their kind to the place that it
    /// shows.
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

    pub(super) fn add(&mut self, update: &PollUpdate, round: &RoundUpdates<'_>) {
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

    /// Takes over the diagnosis of the newest poll. Keeps the last known value of what it does
    /// not show.
    fn learn(&mut self, new: &Diagnosis) {
        let old = std::mem::replace(&mut self.diagnosis, new.clone());
        let kept = &mut self.diagnosis;
        kept.stack = kept.stack.take().or(old.stack);
        kept.call = kept.call.take().or(old.call);
        if kept.also.is_empty() {
            kept.also = old.also;
        }
    }

    /// Returns `Some` if an event is due, with the number suppressed since the last one.
    pub(super) fn may_log(&mut self, now: u64, interval: u64) -> Option<u64> {
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

    pub(super) fn finding(&self, key: &Key, route: Arc<str>, clock: &Clock) -> Finding {
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
