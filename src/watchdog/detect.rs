use super::Cause;
use crate::instance::Instance;
use crate::recorder::Series;
use crate::slot::{EndedPoll, InProgress, Phase, Slot};

/// What one look at one thread's slot has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Observation {
    /// A blocking poll goes on.
    Running {
        poll: InProgress,
        elapsed: u64,
        first: bool,
    },
    /// A blocking poll is over. `sighted`: it was `Running` before.
    Ended { poll: EndedPoll, sighted: bool },
}

/// A blocking poll seen at the last look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighted {
    poll: InProgress,
    elapsed: u64,
}

/// Turns a reading of a slot into observations; all times in ticks.
///
/// The slot has to be read *before* its ended polls are taken: a poll that has
/// left the slot has left its note before.
pub(super) fn observe(
    last: &mut Option<Sighted>,
    mut reading: Option<InProgress>,
    ended: &[EndedPoll],
    now: u64,
    threshold: u64,
    mut each: impl FnMut(Observation),
) {
    for &poll in ended {
        let sighted = last
            .take_if(|last| last.poll.sequence == poll.sequence)
            .is_some();
        // It ended between the reading and the taking.
        reading = reading.filter(|reading| reading.sequence != poll.sequence);
        each(Observation::Ended { poll, sighted });
    }
    let current = reading.map(|reading| reading.sequence);
    if let Some(lost) = last.take_if(|last| Some(last.poll.sequence) != current) {
        // It is over, and its note found no place: what was seen of it counts.
        each(Observation::Ended {
            poll: EndedPoll {
                sequence: lost.poll.sequence,
                start: lost.poll.start,
                ticks: lost.elapsed,
                series: lost.poll.series,
                phase: lost.poll.phase,
                cause: Cause::Unknown.into(),
            },
            sighted: true,
        });
    }
    let Some(poll) = reading else { return };
    let elapsed = now.saturating_sub(poll.start);
    if elapsed >= threshold {
        let first = last.is_none();
        *last = Some(Sighted { poll, elapsed });
        each(Observation::Running {
            poll,
            elapsed,
            first,
        });
    }
}

/// A blocking poll that is in progress at this moment.
#[derive(Clone, Debug)]
pub(crate) struct Stall {
    pub(crate) series: Series,
    pub(crate) phase: Phase,
    /// In ticks.
    pub(crate) elapsed: u64,
    /// As far as the watchdog has found out.
    pub(crate) cause: Cause,
    pub(crate) slot: std::sync::Arc<Slot>,
}

/// The stalls at this moment, longest first, read from the slots themselves:
/// true even while the watchdog is held up.
pub(crate) fn stalls(instance: &Instance) -> Vec<Stall> {
    let now = instance.clock.ticks();
    let mut stalls: Vec<_> = instance
        .slots
        .list()
        .into_iter()
        .filter_map(|slot| {
            let poll = slot.read()?;
            let elapsed = now.saturating_sub(poll.start);
            let cause = Cause::from_id(slot.verdict(poll.sequence));
            // In `block_in_place` nobody waits for it.
            let stalls = elapsed >= instance.terms.threshold && cause != Cause::BlockInPlace;
            stalls.then_some(Stall {
                series: poll.series,
                phase: poll.phase,
                elapsed,
                cause,
                slot,
            })
        })
        .collect();
    stalls.sort_by_key(|stall| std::cmp::Reverse(stall.elapsed));
    stalls
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::{MethodId, RouteId};

    const THRESHOLD: u64 = 10;
    const SERIES: Series = Series::new(RouteId(3), MethodId(0));

    fn running(sequence: u64, start: u64) -> InProgress {
        InProgress {
            sequence,
            start,
            series: SERIES,
            phase: Phase::Poll,
            mark: crate::slot::Mark::default(),
        }
    }

    fn ended(sequence: u64, start: u64, ticks: u64) -> EndedPoll {
        EndedPoll {
            sequence,
            start,
            ticks,
            series: SERIES,
            phase: Phase::Poll,
            cause: Cause::Unknown.into(),
        }
    }

    fn look(
        last: &mut Option<Sighted>,
        reading: Option<InProgress>,
        notes: &[EndedPoll],
        now: u64,
    ) -> Vec<Observation> {
        let mut seen = Vec::new();
        observe(last, reading, notes, now, THRESHOLD, |observation| {
            seen.push(observation)
        });
        seen
    }

    #[test]
    fn a_poll_is_first_seen_once_and_followed_to_its_end() {
        let (mut last, poll) = (None, running(1, 100));
        assert_eq!(look(&mut last, Some(poll), &[], 109), []);
        assert_eq!(
            look(&mut last, Some(poll), &[], 110),
            [Observation::Running {
                poll,
                elapsed: 10,
                first: true
            }]
        );
        assert_eq!(
            look(&mut last, Some(poll), &[], 150),
            [Observation::Running {
                poll,
                elapsed: 50,
                first: false
            }]
        );
        let note = ended(1, 100, 60);
        assert_eq!(
            look(&mut last, None, &[note], 170),
            [Observation::Ended {
                poll: note,
                sighted: true
            }]
        );
        assert_eq!(look(&mut last, None, &[], 180), []);
    }

    #[test]
    fn a_poll_that_ended_before_a_look_is_reported_as_ended() {
        let note = ended(1, 100, 12);
        assert_eq!(
            look(&mut None, None, &[note], 130),
            [Observation::Ended {
                poll: note,
                sighted: false
            }]
        );
    }

    #[test]
    fn a_poll_that_ends_during_the_look_is_reported_once() {
        let note = ended(1, 100, 30);
        assert_eq!(
            look(&mut None, Some(running(1, 100)), &[note], 130),
            [Observation::Ended {
                poll: note,
                sighted: false
            }]
        );
    }

    #[test]
    fn a_lost_note_is_replaced_by_what_was_seen() {
        let mut last = None;
        look(&mut last, Some(running(1, 100)), &[], 140);
        let next = running(3, 150);
        assert_eq!(
            look(&mut last, Some(next), &[], 165),
            [
                Observation::Ended {
                    poll: ended(1, 100, 40),
                    sighted: true
                },
                Observation::Running {
                    poll: next,
                    elapsed: 15,
                    first: true
                },
            ]
        );
    }

    #[test]
    fn a_clock_that_runs_behind_is_no_stall() {
        assert_eq!(look(&mut None, Some(running(1, 100)), &[], 99), []);
    }
}
