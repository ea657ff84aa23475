use super::word::{pack, unpack};
use crate::model::{Cause, ClosedSet, Phase, Series};
use crate::sync::{AtomicU64, Ordering, add_exclusive};

/// A blocking poll that has ended, with its exact duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EndedPoll {
    /// As in [`InProgress`](super::InProgress).
    pub(crate) sequence: u64,
    pub(crate) start: u64,
    pub(crate) ticks: u64,
    pub(crate) series: Series,
    pub(crate) phase: Phase,
    /// The cause it was counted under.
    pub(crate) cause: Cause,
}

/// The capacity of the queue. A watchdog that is on time finds at most one entry,
/// because a blocking poll lasts at least two of its ticks. The rest is for a late one.
#[cfg(not(runtime_health_loom))]
const PLACES: usize = 16;
#[cfg(runtime_health_loom)]
const PLACES: usize = 2;

/// A queue with one producer (the thread) and one consumer (the watchdog).
/// When it is full, new entries are dropped and counted.
#[derive(Debug)]
pub(super) struct EndedPolls {
    entries: [[AtomicU64; 5]; PLACES],
    /// Written by the producer with `Release` after it filled the entry;
    /// partner: the consumer's `Acquire` load.
    head: AtomicU64,
    /// Written by the consumer with `Release` after it read the entry;
    /// partner: the producer's `Acquire` load.
    tail: AtomicU64,
    /// Entries dropped because the queue was full. Written by the producer only.
    dropped: AtomicU64,
    /// How many of `dropped` the consumer has reported. Written by the consumer only.
    reported: AtomicU64,
}

impl EndedPolls {
    pub(super) fn new() -> Self {
        Self {
            entries: std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0))),
            head: AtomicU64::new(0),
            tail: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            reported: AtomicU64::new(0),
        }
    }

    /// Adds an entry. Returns `false` if the queue is full; the entry is then counted as
    /// dropped.
    pub(super) fn push(&self, poll: EndedPoll) -> bool {
        let head = self.head.load(Ordering::Relaxed);
        let tail = self.tail.load(Ordering::Acquire);
        if head.wrapping_sub(tail) >= PLACES as u64 {
            add_exclusive(&self.dropped, 1);
            return false;
        }
        let words = [
            poll.sequence,
            poll.start,
            poll.ticks,
            pack(poll.series, poll.phase),
            poll.cause as u64,
        ];
        for (place, word) in self.entries[head as usize % PLACES].iter().zip(words) {
            place.store(word, Ordering::Relaxed);
        }
        self.head.store(head.wrapping_add(1), Ordering::Release);
        true
    }

    /// For the producer: returns whether the consumer has entries left to take.
    pub(super) fn has_any(&self) -> bool {
        // `Relaxed`: a stale `true` only makes the consumer look in vain.
        self.head.load(Ordering::Relaxed) != self.tail.load(Ordering::Relaxed)
    }

    pub(super) fn drain(&self, mut each: impl FnMut(EndedPoll)) -> u64 {
        let head = self.head.load(Ordering::Acquire);
        let mut tail = self.tail.load(Ordering::Relaxed);
        while tail != head {
            let entry = &self.entries[tail as usize % PLACES];
            let [sequence, start, ticks, what, cause] =
                std::array::from_fn(|i| entry[i].load(Ordering::Relaxed));
            tail = tail.wrapping_add(1);
            self.tail.store(tail, Ordering::Release);
            if let Some((series, phase)) = unpack(what) {
                each(EndedPoll {
                    sequence,
                    start,
                    ticks,
                    series,
                    phase,
                    cause: Cause::from_index(cause as usize).unwrap_or(Cause::Unknown),
                });
            }
        }
        let dropped = self.dropped.load(Ordering::Relaxed);
        let new = dropped.wrapping_sub(self.reported.load(Ordering::Relaxed));
        self.reported.store(dropped, Ordering::Relaxed);
        new
    }
}

#[cfg(all(test, not(runtime_health_loom)))]
mod tests {
    use super::*;
    use crate::model::{Method, RouteId};

    fn poll(sequence: u64) -> EndedPoll {
        EndedPoll {
            sequence,
            start: sequence + 1,
            ticks: sequence + 2,
            series: Series::new(RouteId(sequence as u32), Method::Get),
            phase: Phase::Poll,
            cause: Cause::ALL[sequence as usize % Cause::COUNT],
        }
    }

    #[test]
    fn entries_come_out_in_order_and_whole() {
        let polls = EndedPolls::new();
        let mut seen = Vec::new();
        for round in 0..5 {
            for i in 0..10 {
                polls.push(poll(round * 10 + i));
            }
            assert_eq!(polls.drain(|poll| seen.push(poll)), 0);
        }
        assert_eq!(seen, (0..50).map(poll).collect::<Vec<_>>());
    }

    #[test]
    fn dropped_entries_are_reported_once() {
        let polls = EndedPolls::new();
        for i in 0..PLACES as u64 + 3 {
            polls.push(poll(i));
        }
        let mut taken = 0;
        assert_eq!(polls.drain(|_| taken += 1), 3);
        assert_eq!(taken, PLACES);
        assert_eq!(polls.drain(|_| ()), 0);
    }
}
