use std::time::Duration;

use crate::clock::Clock;
use crate::findings::PollUpdate;
use crate::state::State;

/// The context of one round, the same for all threads that it examines.
#[derive(Clone, Copy)]
pub(super) struct Round<'s> {
    pub(super) state: &'s State,
    /// When the round began, in ticks.
    pub(super) now: u64,
    /// Ticks between two rounds.
    pub(super) tick: u64,
    /// How late the round is.
    pub(super) lateness: Duration,
    /// The watchdog was late recently.
    pub(super) is_cpu_contended: bool,
}

impl<'s> Round<'s> {
    pub(super) fn clock(&self) -> &'s Clock {
        self.state.clock()
    }

    /// Returns the threshold in ticks.
    pub(super) fn threshold(&self) -> u64 {
        self.state.instance.poll_config.threshold
    }
}

/// What one round has found.
#[derive(Debug, Default)]
pub(super) struct RoundResult {
    pub(super) updates: Vec<PollUpdate>,
    /// How many blocking polls ended and found no room in their thread's queue.
    pub(super) lost: u64,
    /// A poll is in progress, or one has ended.
    pub(super) is_active: bool,
    /// A blocking poll was in progress at the round before.
    pub(super) had_running: bool,
}
