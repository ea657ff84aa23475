use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use super::pacer::Pacer;
use super::publisher::Publisher;
use super::reader::Reader;
use super::round::{Round, RoundResult};
use super::watched_thread::WatchedThreads;
use crate::error::{Error, Kind};
use crate::offload::Offload;
use crate::state::State;
use crate::sync::{AtomicBool, Ordering};
use crate::sys::{self, FreshThread};

const NAME: &str = "health-watchdog";

/// Owns the watchdog's thread, which stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Watchdog {
    state: Arc<State>,
    stop: Arc<AtomicBool>,
}

impl Watchdog {
    pub(crate) fn start(state: Arc<State>, offload: Offload) -> Result<Self, Error> {
        let stop = Arc::new(AtomicBool::new(false));
        let (ready, started) = sync_channel(1);
        let (thread_state, thread_stop) = (Arc::clone(&state), Arc::clone(&stop));
        sys::spawn(NAME, move |fresh: FreshThread| {
            // Created on the new thread, because the descriptors it opens belong to that
            // thread's own table.
            let runner = Runner::new(fresh, thread_state, thread_stop, offload);
            let _ = ready.send(());
            drop(ready);
            runner.run();
        })
        .map_err(|source| Kind::Thread { name: NAME, source })?;
        // Waits until the capture mode is known, because `build_info` reports it. An error
        // means that the thread has panicked. Then no thread is watched.
        let _ = started.recv();
        Ok(Self { state, stop })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // `Release` by convention: it publishes nothing but the flag itself.
        self.stop.store(true, Ordering::Release);
        self.state.instance.poll_config.parker.unpark();
    }
}

struct Runner {
    state: Arc<State>,
    stop: Arc<AtomicBool>,
    pacer: Pacer,
    threads: WatchedThreads,
    reader: Reader,
    /// Declared last, so dropped last: the offload thread then releases the [`State`] after
    /// this thread has. The state may own descriptors that refer to other files in this
    /// thread's table.
    publisher: Publisher,
}

impl Runner {
    fn new(fresh: FreshThread, state: Arc<State>, stop: Arc<AtomicBool>, offload: Offload) -> Self {
        let reader = Reader::new(fresh, &state, &offload);
        state.metrics.set_capture_mode(reader.mode());
        offload.log_start(reader.mode());
        Self {
            pacer: Pacer::new(state.options.threshold, state.clock()),
            threads: WatchedThreads::default(),
            publisher: Publisher::new(offload, state.clock()),
            reader,
            state,
            stop,
        }
    }

    fn run(mut self) {
        let state = Arc::clone(&self.state);
        let parker = &state.instance.poll_config.parker;
        parker.set_thread(std::thread::current());
        self.reader.load(&state.options);
        while !self.is_stopped() {
            self.round();
            if !self.pacer.may_park() {
                self.sleep();
                continue;
            }
            // Announces that it parks, then does one more round a tick later. By then this
            // thread sees every poll that began before workers could see the announcement.
            parker.set_parked(true);
            self.sleep();
            if !self.round() {
                while parker.is_parked() && !self.is_stopped() {
                    std::thread::park();
                }
            }
            parker.set_parked(false);
            self.pacer.saw_activity(state.clock().ticks());
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    fn sleep(&mut self) {
        let late = self.pacer.sleep_until_next_round(self.state.clock());
        let bounds = &self.state.instance.recorder.bounds().delay;
        self.state.metrics.lateness.record_exclusive(bounds, late);
    }

    /// Examines every thread. Returns whether any of them polls.
    fn round(&mut self) -> bool {
        let now = self.state.clock().ticks();
        self.pacer.begin_round(now);
        self.state.watchdog_rounds.begin();
        // A panic in here is a bug. It must not affect the service, and the next round must
        // take place.
        let examined = catch_unwind(AssertUnwindSafe(|| self.examine_all(now)));
        let is_active = examined.unwrap_or_else(|_| {
            self.state.findings.count_dropped(1);
            self.threads.reset();
            true
        });
        if is_active {
            self.pacer.saw_activity(now);
        }
        self.state.watchdog_rounds.end();
        is_active
    }

    fn examine_all(&mut self, now: u64) -> bool {
        let state = &*self.state;
        let round = Round {
            state,
            now,
            tick: self.pacer.tick(),
            lateness: self.pacer.lateness(),
            is_cpu_contended: self.pacer.is_cpu_contended(now),
        };
        let mut result = RoundResult::default();
        self.reader.begin_round(&round);
        result.lost += self.threads.refresh(&state.instance, &mut self.reader);
        for thread in self.threads.iter_mut() {
            thread.examine(&round, &mut self.reader, &mut result);
        }
        let interrupted = self.reader.capturer.interrupted_calls();
        state.metrics.set_interrupted_calls(interrupted);
        self.publisher.publish(&round, &result);
        state.inspect_queue.serve(&mut self.reader.capturer);
        self.publisher.probe(&round);
        result.is_active
    }
}
