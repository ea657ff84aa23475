use std::cmp::Reverse;
use std::sync::Arc;

use crate::instance::Instance;
use crate::model::{Cause, Phase, Series};
use crate::slot::Slot;

/// A blocking poll that is in progress at this moment.
#[cfg_attr(
    not(feature = "server"),
    expect(dead_code, reason = "only /findings shows all of it")
)]
#[derive(Clone, Debug)]
pub(crate) struct Stall {
    pub(crate) series: Series,
    pub(crate) phase: Phase,
    /// In ticks.
    pub(crate) elapsed: u64,
    /// As far as the watchdog has established it.
    pub(crate) cause: Cause,
    pub(crate) slot: Arc<Slot>,
}

/// Returns the stalls at this moment, longest first. They are read from the slots themselves,
/// so the result is current even while the watchdog is late.
pub(crate) fn stalls(instance: &Instance) -> Vec<Stall> {
    let now = instance.clock.ticks();
    let stall = |slot: Arc<Slot>| {
        let poll = slot.read()?;
        let elapsed = now.saturating_sub(poll.start);
        let cause = slot.cause_of(poll.sequence);
        // A thread in `block_in_place` delays no other task.
        let is_stall = elapsed >= instance.poll_config.threshold && cause != Cause::BlockInPlace;
        is_stall.then_some(Stall {
            series: poll.series,
            phase: poll.phase,
            elapsed,
            cause,
            slot,
        })
    };
    let mut stalls: Vec<_> = instance
        .slots
        .list()
        .into_iter()
        .filter_map(stall)
        .collect();
    stalls.sort_by_key(|stall| Reverse(stall.elapsed));
    stalls
}
