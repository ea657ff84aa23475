use std::sync::Arc;
use std::time::SystemTime;

use super::Diagnosis;
use crate::instance::Instance;
use crate::model::{Cause, Phase, Series};
use crate::slot::{EndedPoll, InProgress};

/// What one reading of a slot shows about a blocking poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Observation {
    /// It is in progress.
    Running {
        poll: InProgress,
        /// In ticks.
        elapsed: u64,
        /// Not observed before.
        first: bool,
    },
    /// It has ended.
    Ended {
        poll: EndedPoll,
        /// Observed as `Running` before.
        was_seen: bool,
    },
}

impl Observation {
    pub(crate) fn is_running(&self) -> bool {
        matches!(self, Self::Running { .. })
    }

    pub(crate) fn sequence(&self) -> u64 {
        match self {
            Self::Running { poll, .. } => poll.sequence,
            Self::Ended { poll, .. } => poll.sequence,
        }
    }

    pub(super) fn series(&self) -> Series {
        match self {
            Self::Running { poll, .. } => poll.series,
            Self::Ended { poll, .. } => poll.series,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        match self {
            Self::Running { poll, .. } => poll.phase,
            Self::Ended { poll, .. } => poll.phase,
        }
    }

    /// Returns how long the poll has lasted, in ticks.
    pub(crate) fn ticks(&self) -> u64 {
        match self {
            Self::Running { elapsed, .. } => *elapsed,
            Self::Ended { poll, .. } => poll.ticks,
        }
    }
}

/// What one round of the watchdog learned about one blocking poll.
#[derive(Debug)]
pub(crate) struct PollUpdate {
    pub(crate) observation: Observation,
    pub(crate) thread: Arc<str>,
    pub(crate) diagnosis: Option<Arc<Diagnosis>>,
    /// Whether the poll is to be announced by a log event.
    pub(crate) is_new: bool,
}

impl PollUpdate {
    /// Returns the diagnosed cause while the poll runs, and the cause it was counted under once
    /// it has ended.
    pub(crate) fn cause(&self) -> Cause {
        match &self.observation {
            Observation::Running { .. } => self
                .diagnosis
                .as_ref()
                .map_or(Cause::Unknown, |diagnosis| diagnosis.cause()),
            Observation::Ended { poll, .. } => poll.cause,
        }
    }

    /// Returns the diagnosis, unless the poll was counted under another cause than it names.
    pub(super) fn known_diagnosis(&self) -> Option<&Diagnosis> {
        let cause = self.cause();
        let diagnosis = self.diagnosis.as_deref();
        diagnosis.filter(|diagnosis| diagnosis.cause() == cause)
    }
}

/// What one round of the watchdog has learned about all blocking polls.
pub(crate) struct RoundUpdates<'r> {
    pub(crate) updates: &'r [PollUpdate],
    /// How many blocking polls ended and found no room in their thread's queue.
    pub(crate) lost: u64,
    /// When the round began, in ticks.
    pub(crate) now: u64,
    pub(crate) wall: SystemTime,
    pub(crate) instance: &'r Instance,
}
