use std::sync::Arc;

use super::Cause;
use super::detect::{Observation, Sighted};
use super::hindsight::Reading;
use super::inquiry::Inquiry;
use super::store::Sighting;
use crate::capture::Thread;
use crate::slot::Slot;

/// A thread that is looked at, and what is known of its polls.
pub(super) struct Watched {
    pub(super) slot: Arc<Slot>,
    pub(super) name: Arc<str>,
    /// Where its slot stood at the last look.
    pub(super) activity: u64,
    /// The blocking poll it was in at the last look.
    pub(super) last: Option<Sighted>,
    pub(super) thread: Thread,
    pub(super) inquiry: Option<Inquiry>,
    /// Its clocks at the last look before the poll that is inquired into.
    pub(super) before: Option<Reading>,
    announced: Option<Announced>,
}

/// The poll announced last, and what was said of it.
#[derive(Clone, Copy, Debug)]
struct Announced {
    sequence: u64,
    cause: Cause,
    has_place: bool,
}

impl Watched {
    pub(super) fn new(slot: Arc<Slot>, thread: Thread) -> Self {
        Self {
            name: slot.thread().into(),
            activity: 0,
            last: None,
            thread,
            inquiry: None,
            before: None,
            announced: None,
            slot,
        }
    }

    /// Whether something is to be found out about a poll.
    pub(super) fn is_inquired(&self, sequence: u64) -> bool {
        let inquiry = self.inquiry.as_ref();
        inquiry.is_some_and(|inquiry| inquiry.sequence == sequence)
    }

    /// Adds to an observation what was found out about its poll. A poll is
    /// announced when its cause and place are known, or when it is as old as
    /// `patience`; and once more when they become known after that.
    pub(super) fn sight(&mut self, observation: Observation, patience: u64) -> Sighting {
        let (sequence, running, elapsed) = match &observation {
            Observation::Running { poll, elapsed, .. } => (poll.sequence, true, *elapsed),
            Observation::Ended { poll, .. } => (poll.sequence, false, poll.ticks),
        };
        let inquiry = self
            .inquiry
            .as_ref()
            .filter(|inquiry| inquiry.sequence == sequence);
        let diagnosis = inquiry.and_then(Inquiry::diagnosis);
        let awaits_names = inquiry.is_some_and(Inquiry::awaits_names);
        let cause = match &observation {
            Observation::Running { .. } => diagnosis.as_ref().map_or(Cause::Unknown, |d| d.cause()),
            Observation::Ended { poll, .. } => Cause::from_id(poll.cause),
        };
        let has_place = diagnosis.as_ref().is_some_and(|known| known.has_place());
        let before = self
            .announced
            .filter(|announced| announced.sequence == sequence);
        let is_new = match before {
            // What is not known yet may be at the next look.
            None => {
                let may_wait = cause == Cause::Unknown || awaits_names;
                !(running && elapsed < patience && may_wait)
            }
            // Nobody was to blame, and now somebody is; or it is known where.
            Some(before) => {
                cause.blames_handler()
                    && (!before.cause.blames_handler() || (has_place && !before.has_place))
            }
        };
        if is_new {
            self.announced = Some(Announced {
                sequence,
                cause,
                has_place,
            });
        }
        Sighting {
            observation,
            thread: Arc::clone(&self.name),
            diagnosis,
            is_new,
        }
    }
}
