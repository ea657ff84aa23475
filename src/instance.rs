//! What all threads of a service share of one [`RuntimeHealth`](crate::RuntimeHealth):
//! what the hot path reads and writes to, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use crate::blocking::{Seat, TaskCells, Waiting};
use crate::clock::Clock;
use crate::primitive::Roster;
use crate::recorder::{Bounds, Recorder};
use crate::route::Interner;
use crate::slot::{Alarm, Slot};

/// What each poll reads.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) clock: Clock,
    pub(crate) bounds: Bounds,
    /// From how many ticks on a poll is a blocking poll.
    pub(crate) threshold: u64,
    /// Wakes the watchdog.
    pub(crate) alarm: Alarm,
}

#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) clock: Clock,
    pub(crate) terms: Arc<Terms>,
    /// One request in so many has its wake-to-poll delay measured; 0 is none.
    pub(crate) delay_sampling: u32,
    /// Below one request per thread in so many ticks, every one is measured.
    pub(crate) delay_rest: u64,
    pub(crate) routes: Interner,
    pub(crate) recorder: Recorder,
    pub(crate) slots: Roster<Slot>,
    pub(crate) tasks: TaskCells,
    /// Wrapped pool tasks that wait, and pool threads with those that run.
    pub(crate) waiting: Waiting,
    pub(crate) seats: Roster<Seat>,
    /// Wakes the pool's watch.
    pub(crate) pool_alarm: Alarm,
}

impl Instance {
    pub(crate) fn new(
        clock: Clock,
        threshold: Duration,
        max_routes: usize,
        delay_sampling: u32,
    ) -> Self {
        let bounds = Bounds::new(|seconds| clock.ticks_in(Duration::from_secs_f64(seconds)));
        let routes = Interner::new(max_routes);
        Self {
            terms: Arc::new(Terms {
                clock: clock.clone(),
                bounds: bounds.clone(),
                threshold: clock.ticks_in(threshold),
                alarm: Alarm::new(),
            }),
            delay_sampling,
            delay_rest: clock.ticks_in(Duration::from_millis(10)),
            tasks: TaskCells::new(routes.capacity(), bounds.blocking),
            recorder: Recorder::new(bounds),
            routes,
            slots: Roster::new(),
            waiting: Waiting::new(),
            seats: Roster::new(),
            pool_alarm: Alarm::new(),
            clock,
        }
    }
}
