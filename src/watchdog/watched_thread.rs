use std::sync::Arc;

use super::detect::{SeenPoll, observe};
use super::investigation::Investigation;
use super::post_mortem::{self, ClockSample};
use super::reader::Reader;
use super::round::{Round, RoundResult};
use crate::capture::Thread;
use crate::findings::{Observation, PollUpdate};
use crate::instance::Instance;
use crate::model::Cause;
use crate::slot::{EndedPoll, InProgress, Slot};

/// All living threads that have polled a request of this instance.
#[derive(Default)]
pub(super) struct WatchedThreads {
    list: Vec<WatchedThread>,
    /// The generation of the slot registry when the list was last refreshed.
    generation: u64,
}

impl WatchedThreads {
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut WatchedThread> {
        self.list.iter_mut()
    }

    /// Forgets all threads. The next refresh lists them again.
    pub(super) fn reset(&mut self) {
        self.list.clear();
        self.generation = u64::MAX;
    }

    /// Updates the list if threads have started or ended. The next round still reads what a
    /// thread recorded in its slot before it ended. The slot is removed with the next change.
    /// Returns how many blocking polls were lost with threads that ended.
    pub(super) fn refresh(&mut self, instance: &Instance, reader: &mut Reader) -> u64 {
        let Some(changed) = instance.slots.refresh(&mut self.generation) else {
            return 0;
        };
        let mut old = std::mem::take(&mut self.list);
        for slot in changed.entries {
            let known = old
                .iter()
                .position(|watched| Arc::ptr_eq(&watched.slot, &slot));
            self.list.push(match known {
                Some(at) => old.swap_remove(at),
                None => {
                    let thread = reader.capturer.open_thread(slot.thread_id());
                    WatchedThread::new(slot, thread)
                }
            });
        }
        for watched in old {
            if watched.slot.activity() != watched.activity || watched.last.is_some() {
                self.list.push(watched);
            } else {
                reader.capturer.close_thread(watched.thread);
            }
        }
        changed.lost
    }
}

/// One thread of the service, and what is known about its polls.
pub(super) struct WatchedThread {
    slot: Arc<Slot>,
    name: Arc<str>,
    thread: Thread,
    /// The slot's sequence at the last round.
    activity: u64,
    /// The blocking poll that the last round saw in progress.
    last: Option<SeenPoll>,
    investigation: Option<Investigation>,
    /// The thread's clocks at the last round before the investigated poll.
    sample_before: Option<ClockSample>,
    announced: Option<Announced>,
}

/// The poll that was announced last, and what was announced.
#[derive(Clone, Copy, Debug)]
struct Announced {
    sequence: u64,
    cause: Cause,
    has_place: bool,
}

impl WatchedThread {
    fn new(slot: Arc<Slot>, thread: Thread) -> Self {
        Self {
            name: slot.thread().into(),
            thread,
            activity: 0,
            last: None,
            investigation: None,
            sample_before: None,
            announced: None,
            slot,
        }
    }

    /// Examines the thread once, and adds what it finds to the result of the round.
    pub(super) fn examine(
        &mut self,
        round: &Round<'_>,
        reader: &mut Reader,
        result: &mut RoundResult,
    ) {
        let activity = self.slot.activity();
        if activity != self.activity || activity & 1 == 1 {
            result.is_active = true;
        } else if self.last.is_none() && self.investigation.is_none() {
            return;
        }
        self.activity = activity;
        result.had_running |= self.last.is_some();
        // The slot is read before its ended polls, as `observe` requires.
        let poll = self.slot.read();
        let mut ended = Vec::new();
        result.lost += self.slot.take_ended(|poll| ended.push(poll));
        for poll in &mut ended {
            self.count_ended(poll, round, reader);
        }
        self.sample_in_advance(poll.as_ref(), round, reader);
        if let Some(poll) = &poll {
            self.investigate(poll, round, reader);
        }
        let mut observations = Vec::new();
        observe(
            &mut self.last,
            poll,
            &ended,
            round.now,
            round.threshold(),
            |observation| observations.push(observation),
        );
        // At least two rounds have a chance to find the cause.
        let announce_at = round.threshold() + round.tick;
        let updates = observations.into_iter();
        result
            .updates
            .extend(updates.map(|observation| self.update(observation, announce_at)));
        if self.last.is_none() && poll.is_none() {
            self.investigation = None;
        }
    }

    /// Finds the cause of an ended poll that has none, and counts the poll under it.
    fn count_ended(&self, poll: &mut EndedPoll, round: &Round<'_>, reader: &Reader) {
        if poll.cause != Cause::Unknown {
            return;
        }
        poll.cause = self.cause_of_ended(poll, round, reader);
        let recorder = &round.state.instance.recorder;
        recorder.record_without_thread(poll.series, |cells| {
            cells.blocking_poll(poll.cause, poll.ticks);
        });
    }

    fn cause_of_ended(&self, poll: &EndedPoll, round: &Round<'_>, reader: &Reader) -> Cause {
        let investigation = self.investigation_of(poll.sequence);
        if let Some(investigation) = investigation {
            let cause = investigation.last_cause(round.threshold());
            if cause != Cause::Unknown {
                return cause;
            }
        }
        let before = [
            self.sample_before,
            investigation.and_then(Investigation::baseline),
        ];
        match reader.sample_clocks(&self.thread, round.clock()) {
            Some(after) => {
                post_mortem::cause_of_ended(before, &after, poll, round.threshold(), round.clock())
            }
            None => Cause::Unknown,
        }
    }

    /// Samples the clocks, in case the next poll begins and ends between two rounds. While a
    /// poll is investigated, the sample from before it is kept.
    fn sample_in_advance(
        &mut self,
        poll: Option<&InProgress>,
        round: &Round<'_>,
        reader: &mut Reader,
    ) {
        let is_investigated =
            poll.is_some_and(|poll| self.investigation_of(poll.sequence).is_some());
        if !is_investigated {
            self.sample_before = reader.sample_clocks_in_advance(&self.thread, round.clock());
        }
    }

    /// Investigates a poll that is no longer short.
    fn investigate(&mut self, poll: &InProgress, round: &Round<'_>, reader: &mut Reader) {
        let elapsed = round.now.saturating_sub(poll.start);
        // Most polls are young when they are first seen and have ended by the next round. If
        // CPU is contended, that round may come late.
        if elapsed < round.tick / 2 && !round.is_cpu_contended {
            return;
        }
        let investigation = match &mut self.investigation {
            Some(current) if current.sequence == poll.sequence => current,
            other => other.insert(Investigation::begin(
                poll,
                &self.slot,
                &self.thread,
                round,
                reader,
            )),
        };
        investigation.advance(poll, &self.slot, &self.thread, round, reader);
    }

    fn investigation_of(&self, sequence: u64) -> Option<&Investigation> {
        let investigation = self.investigation.as_ref();
        investigation.filter(|investigation| investigation.sequence == sequence)
    }

    /// Adds the diagnosis of the poll to an observation. A poll is announced when its cause and
    /// place are known, or at the age of `announce_at` (in ticks). It is announced once more if
    /// they become known after that.
    fn update(&mut self, observation: Observation, announce_at: u64) -> PollUpdate {
        let sequence = observation.sequence();
        let investigation = self.investigation_of(sequence);
        let awaits_names = investigation.is_some_and(Investigation::awaits_names);
        let mut update = PollUpdate {
            thread: Arc::clone(&self.name),
            diagnosis: investigation.and_then(Investigation::diagnosis),
            is_new: false,
            observation,
        };
        let cause = update.cause();
        let has_place = update
            .diagnosis
            .as_ref()
            .is_some_and(|diagnosis| diagnosis.has_place());
        let announced = self
            .announced
            .filter(|announced| announced.sequence == sequence);
        update.is_new = match announced {
            // What is not known yet may be known at the next round.
            None => {
                let may_wait = cause == Cause::Unknown || awaits_names;
                let is_young = observation.is_running() && observation.ticks() < announce_at;
                !(is_young && may_wait)
            }
            // The handler is to blame and was not before, or its place has become known.
            Some(before) => {
                cause.blames_handler()
                    && (!before.cause.blames_handler() || (has_place && !before.has_place))
            }
        };
        if update.is_new {
            self.announced = Some(Announced {
                sequence,
                cause,
                has_place,
            });
        }
        update
    }
}
