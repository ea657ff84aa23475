//! Models of the room's protocols, run by `ci/loom.sh`.

use super::ended::EndedPolls;
use super::{EndedPoll, Slot, StackAnchor};
use crate::model::{Cause, Method, Phase, RouteId, Series};
use crate::sync::race::race;

fn series(route: u32) -> Series {
    Series::new(RouteId(route), Method::Get)
}

#[test]
fn a_reader_never_sees_fields_of_two_polls() {
    race(
        || Slot::new("".into(), 0),
        |slot| {
            for start in [1, 2] {
                slot.enter(
                    start,
                    series(start as u32),
                    Phase::Poll,
                    StackAnchor::default(),
                );
                slot.leave();
            }
        },
        |slot| {
            if let Some(seen) = slot.read() {
                assert_eq!(seen.start, u64::from(seen.series.route().0));
                assert_eq!(seen.sequence, seen.start * 2 - 1);
            }
            0
        },
        |slot, _| assert!(slot.read().is_none()),
    );
}

#[test]
fn ended_polls_arrive_whole_or_are_counted() {
    fn take(polls: &EndedPolls) -> u64 {
        let mut taken = 0;
        let dropped = polls.drain(|poll| {
            assert_eq!(poll.sequence, poll.start);
            assert_eq!(poll.sequence, poll.ticks);
            assert_eq!(poll.sequence, u64::from(poll.series.route().0));
            taken += 1;
        });
        taken + dropped
    }
    race(
        EndedPolls::new,
        |polls| {
            for sequence in 1..=3 {
                polls.push(EndedPoll {
                    sequence,
                    start: sequence,
                    ticks: sequence,
                    series: series(sequence as u32),
                    phase: Phase::Call,
                    cause: Cause::Unknown,
                });
            }
        },
        take,
        |polls, taken| assert_eq!(taken + take(polls), 3),
    );
}
