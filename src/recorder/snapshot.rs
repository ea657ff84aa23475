use std::collections::BTreeMap;

use super::Recorder;
use super::histogram::HistogramTotals;
use super::shard::SeriesCells;
use crate::model::{Cause, ClosedSet, Outcome, Series};
use crate::sync::{Ordering, lock};

/// One series, summed over all threads.
#[derive(Clone, Debug)]
pub(crate) struct SeriesTotals {
    pub(crate) poll: HistogramTotals<12>,
    pub(crate) request: HistogramTotals<12>,
    pub(crate) delay: HistogramTotals<9>,
    pub(crate) started: u64,
    /// Indexed by [`Outcome`].
    pub(crate) ended: [u64; Outcome::COUNT],
    /// Indexed by [`Cause`].
    pub(crate) blocking: [BlockingTotals; Cause::COUNT],
}

/// Blocking polls of one cause, summed over all threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BlockingTotals {
    pub(crate) polls: u64,
    pub(crate) ticks: u64,
}

impl BlockingTotals {
    const ZERO: Self = Self { polls: 0, ticks: 0 };

    fn add(&mut self, polls: u64, ticks: u64) {
        self.polls += polls;
        self.ticks += ticks;
    }
}

impl Recorder {
    /// Returns the sum over all threads. Recording threads never wait for it: the lock is
    /// held while the list of threads is copied, and no longer.
    pub(crate) fn snapshot(&self) -> BTreeMap<Series, SeriesTotals> {
        let mut totals = BTreeMap::new();
        let live = {
            let threads = lock(&self.threads);
            for (series, cells) in threads.retired.list() {
                let entry = totals.entry(series).or_insert(SeriesTotals::ZERO);
                entry.add_ended(&cells);
                entry.add_rest(&cells);
            }
            threads.live.clone()
        };
        // All ends first, then all starts: see `SeriesCells::ended`. Listed anew:
        // the start may be in cells that are younger than the first list.
        for (series, cells) in live.iter().flat_map(|shard| shard.list()) {
            totals
                .entry(series)
                .or_insert(SeriesTotals::ZERO)
                .add_ended(&cells);
        }
        for (series, cells) in live.iter().flat_map(|shard| shard.list()) {
            totals
                .entry(series)
                .or_insert(SeriesTotals::ZERO)
                .add_rest(&cells);
        }
        totals
    }
}

impl SeriesTotals {
    pub(crate) const ZERO: Self = Self {
        poll: HistogramTotals::ZERO,
        request: HistogramTotals::ZERO,
        delay: HistogramTotals::ZERO,
        started: 0,
        ended: [0; Outcome::COUNT],
        blocking: [BlockingTotals::ZERO; Cause::COUNT],
    };

    fn add_ended(&mut self, cells: &SeriesCells) {
        for (mine, theirs) in self.ended.iter_mut().zip(&cells.ended) {
            *mine += theirs.load(Ordering::Acquire);
        }
    }

    fn add_rest(&mut self, cells: &SeriesCells) {
        self.poll.add(&cells.poll.totals());
        self.request.add(&cells.request.totals());
        if let Some(delay) = cells.delay.get() {
            self.delay.add(&delay.totals());
        }
        self.started += cells.started.load(Ordering::Relaxed);
        if let Some(blocking) = cells.blocking.get() {
            for (mine, theirs) in self.blocking.iter_mut().zip(blocking.iter()) {
                mine.add(
                    theirs.polls.load(Ordering::Relaxed),
                    theirs.ticks.load(Ordering::Relaxed),
                );
            }
        }
    }

    /// Adds another series, for a coarser label.
    #[cfg(feature = "prometheus")]
    pub(crate) fn add(&mut self, other: &Self) {
        self.poll.add(&other.poll);
        self.request.add(&other.request);
        self.delay.add(&other.delay);
        self.started += other.started;
        for (mine, theirs) in self.ended.iter_mut().zip(other.ended) {
            *mine += theirs;
        }
        for (mine, theirs) in self.blocking.iter_mut().zip(&other.blocking) {
            mine.add(theirs.polls, theirs.ticks);
        }
    }

    /// Returns the number of requests started and not ended. A thread that registered while
    /// the totals were read can make the ends exceed the starts. The result is then 0.
    pub(crate) fn in_flight(&self) -> u64 {
        self.started.saturating_sub(self.ended.iter().sum())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Bounds, Shard};
    use super::*;
    use crate::model::{Method, RouteId};

    const SERIES: Series = Series::new(RouteId(1), Method::Get);

    fn recorder() -> Recorder {
        Recorder::new(Bounds::new(|seconds| (seconds * 1e9) as u64))
    }

    fn request(recorder: &Recorder, shard: &Shard) {
        let cells = shard.cells(SERIES);
        cells.request_started();
        cells.poll(recorder.bounds(), 1_000);
        cells.request_ended(recorder.bounds(), Outcome::Completed, 2_000_000);
    }

    #[test]
    fn nothing_is_lost_when_threads_end_while_totals_are_read() {
        let recorder = recorder();
        let (threads, requests) = (8, 2_000);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    for _ in 0..4 {
                        let shard = recorder.register();
                        for _ in 0..requests / 4 {
                            request(&recorder, &shard);
                        }
                        recorder.retire(&shard);
                    }
                });
            }
            let mut last = 0;
            while last < threads * requests {
                let seen = recorder.snapshot();
                let seen = seen
                    .get(&SERIES)
                    .map_or(0, |totals| totals.ended.iter().sum());
                assert!(seen >= last, "a counter went back from {last} to {seen}");
                last = seen;
            }
        });
        let totals = &recorder.snapshot()[&SERIES];
        assert_eq!(totals.ended, [threads * requests, 0, 0]);
        assert_eq!(totals.poll.count(), threads * requests);
        assert_eq!(totals.poll.ticks, threads * requests * 1_000);
        assert_eq!(totals.in_flight(), 0);
    }

    #[test]
    fn in_flight_is_never_more_than_there_are() {
        let recorder = recorder();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let shard = recorder.register();
                    while !done.load(Ordering::Relaxed) {
                        request(&recorder, &shard);
                    }
                    recorder.retire(&shard);
                });
            }
            for _ in 0..2_000 {
                if let Some(totals) = recorder.snapshot().get(&SERIES) {
                    // The starts are read last, so the figure may run ahead by what
                    // started meanwhile, but ends never outnumber starts.
                    assert!(totals.started >= totals.ended.iter().sum());
                }
            }
            done.store(true, Ordering::Relaxed);
        });
    }

    #[test]
    fn a_thread_without_local_data_still_counts() {
        let recorder = recorder();
        recorder.record_without_thread(SERIES, SeriesCells::request_started);
        assert_eq!(recorder.snapshot()[&SERIES].in_flight(), 1);
    }
}
