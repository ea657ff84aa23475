//! Models of the room's protocols, run by `ci/loom.sh`.
#![allow(clippy::unwrap_used)]

use loom::sync::Arc;
use loom::thread;

use super::ended::EndedPolls;
use super::slot::Slot;
use super::{EndedPoll, Phase};
use crate::recorder::{MethodId, RouteId, Series};

fn series(route: u32) -> Series {
    Series {
        route: RouteId(route),
        method: MethodId(0),
    }
}

#[test]
fn a_reader_never_sees_fields_of_two_polls() {
    loom::model(|| {
        let slot = Arc::new(Slot::new("".into()));
        let writer = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || {
                for start in [1, 2] {
                    slot.enter(start, series(start as u32), Phase::Poll);
                    slot.leave();
                }
            })
        };
        if let Some(seen) = slot.read() {
            assert_eq!(seen.start, u64::from(seen.series.route.0));
            assert_eq!(seen.sequence, seen.start * 2 - 1);
        }
        writer.join().unwrap();
        assert!(slot.read().is_none());
    });
}

#[test]
fn ended_polls_arrive_whole_or_are_counted() {
    loom::model(|| {
        let polls = Arc::new(EndedPolls::new());
        let producer = {
            let polls = Arc::clone(&polls);
            thread::spawn(move || {
                for sequence in 1..=3 {
                    polls.push(EndedPoll {
                        sequence,
                        start: sequence,
                        ticks: sequence,
                        series: series(sequence as u32),
                        phase: Phase::Call,
                    });
                }
            })
        };
        let mut taken = 0;
        let mut whole = |poll: EndedPoll| {
            assert_eq!(poll.sequence, poll.start);
            assert_eq!(poll.sequence, poll.ticks);
            assert_eq!(poll.sequence, u64::from(poll.series.route.0));
            taken += 1;
        };
        let mut dropped = polls.drain(&mut whole);
        producer.join().unwrap();
        dropped += polls.drain(&mut whole);
        assert_eq!(taken + dropped, 3);
    });
}
