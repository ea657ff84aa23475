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

/// Clock samples of threads that are in no examined poll, per round, in case the next round
/// comes too late for a whole poll: 3 µs each. More while CPU is contended.
const CLOCK_SAMPLES: usize = 4;
const CLOCK_SAMPLES_IN_CONTENTION: usize = 16;

/// Threads per round that are waited for until they are blocked in the call they spend most
/// of their time in: the other threads must not wait long.
const WAITS: usize = 2;

/// The means to read threads, and what may still be spent of them.
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
            waits_left: WAITS,
            clock_samples_left: CLOCK_SAMPLES,
        }
    }

    pub(super) fn mode(&self) -> CaptureMode {
        self.capturer.mode()
    }

    /// Loads unwind tables and symbols, unless no stack will be read.
    pub(super) fn load(&mut self, options: &Options) {
        if options.captures_per_second > 0 {
            // Only a bug panics in here; then there are no stacks.
            let _ = catch_unwind(AssertUnwindSafe(|| self.capturer.load()));
        }
    }

    pub(super) fn begin_round(&mut self, round: &Round<'_>) {
        self.waits_left = WAITS;
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

    /// As [`sample_clocks`](Self::sample_clocks), while this round has samples left.
    pub(super) fn sample_clocks_in_advance(
        &mut self,
        thread: &Thread,
        clock: &Clock,
    ) -> Option<ClockSample> {
        self.clock_samples_left = self.clock_samples_left.checked_sub(1)?;
        self.sample_clocks(thread, clock)
    }

    /// Reads the state of a running thread that blocks often and briefly again and again,
    /// until it is blocked: for 1.5 ms at most, and for few threads a round.
    pub(super) fn wait_until_blocked(&mut self, thread: &Thread) -> RunState {
        /// With the timer's slack about 0.1 ms apart.
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
