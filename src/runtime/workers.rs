use std::time::Duration;

use tokio::runtime::Handle;

/// What the workers of a runtime show of themselves on stable tokio, to be
/// compared with later.
///
/// A worker's figures are written by the thread that holds the worker's core:
/// when it parks, when it wakes, and every few dozen tasks. So those of a
/// worker whose thread is stuck in a poll stand still. A thread that is stuck
/// and has given its core away (`tokio::task::block_in_place` does) holds up no
/// worker: somebody else goes on with it, and soon runs tasks or parks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Workers(Vec<Worker>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Worker {
    /// Odd while it is parked.
    parked_and_unparked: u64,
    busy: Duration,
}

impl Workers {
    /// `None` if the runtime has no workers that can give their cores away, or
    /// on platforms without 64-bit atomics, for which tokio keeps no figures.
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

    /// Whether each worker has parked or done something since `before`: then
    /// none of them is held up by a thread that was stuck all the time.
    pub(crate) fn have_all_moved_since(&self, before: &Self) -> bool {
        let stands_still =
            |now: &Worker, then: &Worker| now == then && now.parked_and_unparked.is_multiple_of(2);
        let mut pairs = self.0.iter().zip(&before.0);
        self.0.len() == before.0.len() && !pairs.any(|(now, then)| stands_still(now, then))
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
