use std::time::Duration;

use tokio::runtime::Handle;

/// A sample of the figures that stable tokio keeps of a runtime's workers, for comparison
/// with a later one.
///
/// The thread that holds a worker's core writes the worker's figures when it parks, when it
/// wakes, and every few dozen tasks. The figures of a worker whose thread is stuck in a poll
/// do not change. A stuck thread that has handed its core over, as
/// `tokio::task::block_in_place` does, holds up no worker: another thread continues with the
/// core, and soon runs tasks or parks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Workers(Vec<Worker>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Worker {
    /// Odd while the worker is parked.
    parked_and_unparked: u64,
    busy: Duration,
}

impl Workers {
    /// Samples a runtime. Returns `None` if its workers cannot hand over their cores, or on
    /// platforms without 64-bit atomics, where tokio keeps no figures.
    pub(super) fn of(runtime: &Handle) -> Option<Self> {
        if runtime.runtime_flavor() == tokio::runtime::RuntimeFlavor::CurrentThread {
            return None;
        }
        #[cfg(target_has_atomic = "64")]
        {
            let metrics = runtime.metrics();
            let worker = |index| Worker {
                parked_and_unparked: metrics.worker_park_unpark_count(index),
                busy: metrics.worker_total_busy_duration(index),
            };
            Some(Self((0..metrics.num_workers()).map(worker).collect()))
        }
        #[cfg(not(target_has_atomic = "64"))]
        None
    }

    /// Returns whether each worker has parked or run tasks since `before`. If so, no worker
    /// is held up by a thread that was stuck all the time.
    pub(crate) fn have_all_moved_since(&self, before: &Self) -> bool {
        let is_stalled =
            |now: &Worker, then: &Worker| now == then && now.parked_and_unparked.is_multiple_of(2);
        let mut pairs = self.0.iter().zip(&before.0);
        self.0.len() == before.0.len() && !pairs.any(|(now, then)| is_stalled(now, then))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workers(figures: &[(u64, u64)]) -> Workers {
        let worker = |(parked_and_unparked, busy): &(u64, u64)| Worker {
            parked_and_unparked: *parked_and_unparked,
            busy: Duration::from_micros(*busy),
        };
        Workers(figures.iter().map(worker).collect())
    }

    #[test]
    fn who_parks_or_works_has_moved_and_who_does_neither_is_held_up() {
        let before = workers(&[(7, 100), (8, 100), (4, 100)]);
        let parked = workers(&[(7, 100), (9, 100), (4, 160)]);
        assert!(parked.have_all_moved_since(&before));
        let stuck = workers(&[(7, 100), (8, 100), (4, 160)]);
        assert!(!stuck.have_all_moved_since(&before));
        assert!(!before.have_all_moved_since(&before));
    }
}
