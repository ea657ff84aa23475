//! Models of the room's protocols, run by `ci/loom.sh`.
#![allow(clippy::unwrap_used)]

use loom::sync::Arc;
use loom::thread;

use super::ended::EndedPolls;
use super::{EndedPoll, Slot, StackAnchor};
use crate::model::{Cause, Method, Phase, RouteId, Series};

fn series(route: u32) -> Series {
    Series::new(RouteId(route), Method::Get)
}

/// Runs both in threads of their own: loom 0.7 explores nothing when one of
/// them is the model's main thread and the other's first access is a load.
fn model<T: Send + Sync + 'static>(
    make: fn() -> T,
    writer: fn(&T),
    reader: fn(&T) -> u64,
    after: fn(&T, u64),
) {
    loom::model(move || {
        let shared = Arc::new(make());
        let (for_writer, for_reader) = (Arc::clone(&shared), Arc::clone(&shared));
        let writing = thread::spawn(move || writer(&for_writer));
        let reading = thread::spawn(move || reader(&for_reader));
        writing.join().unwrap();
        after(&shared, reading.join().unwrap());
    });
}

#[test]
fn a_reader_never_sees_fields_of_two_polls() {
    model(
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
    model(
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
