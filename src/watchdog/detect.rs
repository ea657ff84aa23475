use crate::findings::Observation;
use crate::model::Cause;
use crate::slot::{EndedPoll, InProgress};

/// A blocking poll that the last round saw in progress.
#[derive(Clone, Copy, Debug)]
pub(super) struct SeenPoll {
    poll: InProgress,
    elapsed: u64,
}

/// Turns a reading of a slot into observations of blocking polls. All times in ticks.
///
/// The caller must read the slot *before* it takes the ended polls, because a thread queues
/// an ended poll before it leaves the slot.
pub(super) fn observe(
    last: &mut Option<SeenPoll>,
    mut reading: Option<InProgress>,
    ended: &[EndedPoll],
    now: u64,
    threshold: u64,
    mut each: impl FnMut(Observation),
) {
    for &poll in ended {
        let was_seen = last
            .take_if(|last| last.poll.sequence == poll.sequence)
            .is_some();
        // It ended after the slot was read.
        reading = reading.filter(|reading| reading.sequence != poll.sequence);
        each(Observation::Ended { poll, was_seen });
    }
    let current = reading.map(|reading| reading.sequence);
    if let Some(lost) = last.take_if(|last| Some(last.poll.sequence) != current) {
        // It has ended and its queue was full, so its last observation stands in for its end.
        each(Observation::Ended {
            poll: EndedPoll {
                sequence: lost.poll.sequence,
                start: lost.poll.start,
                ticks: lost.elapsed,
                series: lost.poll.series,
                phase: lost.poll.phase,
                cause: Cause::Unknown,
            },
            was_seen: true,
        });
    }
    let Some(poll) = reading else { return };
    let elapsed = now.saturating_sub(poll.start);
    if elapsed >= threshold {
        let first = last.is_none();
        *last = Some(SeenPoll { poll, elapsed });
        each(Observation::Running {
            poll,
            elapsed,
            first,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Method, Phase, RouteId, Series};

    const THRESHOLD: u64 = 10;
    const SERIES: Series = Series::new(RouteId(3), Method::Get);

    fn running(sequence: u64, start: u64) -> InProgress {
        InProgress {
            sequence,
            start,
            series: SERIES,
            phase: Phase::Poll,
            anchor: crate::slot::StackAnchor::default(),
        }
    }

    fn ended(sequence: u64, start: u64, ticks: u64) -> EndedPoll {
        EndedPoll {
            sequence,
            start,
            ticks,
            series: SERIES,
            phase: Phase::Poll,
            cause: Cause::Unknown,
        }
    }

    fn round(
        last: &mut Option<SeenPoll>,
        reading: Option<InProgress>,
        ended: &[EndedPoll],
        now: u64,
    ) -> Vec<Observation> {
        let mut seen = Vec::new();
        observe(last, reading, ended, now, THRESHOLD, |observation| {
            seen.push(observation)
        });
        seen
    }

    #[test]
    fn a_poll_is_first_observed_once_and_followed_to_its_end() {
        let (mut last, poll) = (None, running(1, 100));
        assert_eq!(round(&mut last, Some(poll), &[], 109), []);
        assert_eq!(
            round(&mut last, Some(poll), &[], 110),
            [Observation::Running {
                poll,
                elapsed: 10,
                first: true
            }]
        );
        assert_eq!(
            round(&mut last, Some(poll), &[], 150),
            [Observation::Running {
                poll,
                elapsed: 50,
                first: false
            }]
        );
        let end = ended(1, 100, 60);
        assert_eq!(
            round(&mut last, None, &[end], 170),
            [Observation::Ended {
                poll: end,
                was_seen: true
            }]
        );
        assert_eq!(round(&mut last, None, &[], 180), []);
    }

    #[test]
    fn a_poll_that_ended_between_rounds_is_reported_as_ended() {
        let end = ended(1, 100, 12);
        assert_eq!(
            round(&mut None, None, &[end], 130),
            [Observation::Ended {
                poll: end,
                was_seen: false
            }]
        );
    }

    #[test]
    fn a_poll_that_ends_during_a_round_is_reported_once() {
        let end = ended(1, 100, 30);
        assert_eq!(
            round(&mut None, Some(running(1, 100)), &[end], 130),
            [Observation::Ended {
                poll: end,
                was_seen: false
            }]
        );
    }

    #[test]
    fn a_poll_lost_from_the_queue_is_replaced_by_what_was_observed() {
        let mut last = None;
        round(&mut last, Some(running(1, 100)), &[], 140);
        let next = running(3, 150);
        assert_eq!(
            round(&mut last, Some(next), &[], 165),
            [
                Observation::Ended {
                    poll: ended(1, 100, 40),
                    was_seen: true
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
    fn a_clock_that_runs_behind_makes_no_stall() {
        assert_eq!(round(&mut None, Some(running(1, 100)), &[], 99), []);
    }
}
