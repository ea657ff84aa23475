use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::capture_budget::CaptureBudget;
use super::post_mortem::ClockSample;
use super::round::Round;
use crate::capture::{CaptureMode, Capturer, RunState, Thread};
use crate::clock::Clock;
use crate::offload::Offload;
use crate::options::Options;
use crate::state::State;
use crate::sys::FreshThread;

/// Per round, how many threads that are in no examined poll have their clocks sampled. The
/// sample is used if the next round comes only after a whole poll has ended. Each takes
/// 3 µs. More are taken while CPU is contended.
const CLOCK_SAMPLES: usize = 4;
const CLOCK_SAMPLES_IN_CONTENTION: usize = 16;

/// For how many threads per round [`Reader::wait_until_blocked`] waits. It delays the
/// examination of the other threads.
const MAX_WAITS: usize = 2;

/// Reads threads, within limits per second and per round.
pub(super) struct Reader {
    pub(super) capturer: Capturer,
    pub(super) budget: CaptureBudget,
    waits_left: usize,
    clock_samples_left: usize,
}

impl Reader {
    /// Gives the calling thread its own descriptor table.
    pub(super) fn new(fresh: FreshThread, state: &State, offload: &Offload) -> Self {
        let options = &state.options;
        let offload = offload.clone();
        let capturer = Capturer::new(
            fresh,
            options.interrupt_running_threads,
            options.sample_under_seccomp,
            Box::new(move |descriptor, inode| offload.describe_socket(descriptor, inode)),
        );
        let budget = CaptureBudget::new(
            options.captures_per_second,
            options.capture_interval,
            state.clock(),
        );
        Self {
            capturer,
            budget,
            waits_left: MAX_WAITS,
            clock_samples_left: CLOCK_SAMPLES,
        }
    }

    pub(super) fn mode(&self) -> CaptureMode {
        self.capturer.mode()
    }

    /// Loads unwind tables and symbols, unless no stack will be read.
    pub(super) fn load(&mut self, options: &Options) {
        if options.captures_per_second.is_some() {
            // A panic in here is a bug. Without symbols no stack is read.
            let _ = catch_unwind(AssertUnwindSafe(|| self.capturer.load()));
        }
    }

    pub(super) fn begin_round(&mut self, round: &Round<'_>) {
        self.waits_left = MAX_WAITS;
        self.clock_samples_left = if round.is_cpu_contended {
            CLOCK_SAMPLES_IN_CONTENTION
        } else {
            CLOCK_SAMPLES
        };
    }

    /// Samples a thread's clocks. Takes about 3 µs.
    pub(super) fn sample_clocks(&self, thread: &Thread, clock: &Clock) -> Option<ClockSample> {
        let clocks = self.capturer.clocks(thread)?;
        Some(ClockSample {
            at: clock.ticks(),
            clocks,
        })
    }

    /// Samples a thread's clocks if this round has samples left.
    pub(super) fn sample_clocks_in_advance(
        &mut self,
        thread: &Thread,
        clock: &Clock,
    ) -> Option<ClockSample> {
        self.clock_samples_left = self.clock_samples_left.checked_sub(1)?;
        self.sample_clocks(thread, clock)
    }

    /// Reads the state of a running thread repeatedly until it is blocked, for at most 1.5 ms
    /// and for few threads per round. For a thread that blocks often but briefly.
    pub(super) fn wait_until_blocked(&mut self, thread: &Thread) -> RunState {
        /// About 0.1 ms apart, because of the timer's slack.
        const TRIES: usize = 12;
        const PAUSE: Duration = Duration::from_micros(40);
        let Some(left) = self.waits_left.checked_sub(1) else {
            return RunState::Running;
        };
        self.waits_left = left;
        for _ in 0..TRIES {
            std::thread::sleep(PAUSE);
            match self.capturer.state(thread) {
                Some(blocked @ RunState::Blocked(_)) => return blocked,
                Some(RunState::Running) => {}
                None => break,
            }
        }
        RunState::Running
    }
}
