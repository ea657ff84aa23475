//! Compares the figures sampled on stable tokio with tokio's own figures under
//! `tokio_unstable`. `ci/test.sh` runs this test alone, because the threads of other tests
//! would delay the samples.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use tokio::runtime::Runtime;

use super::PoolMonitor;
use crate::blocking::Origin;
use crate::clock::Clock;
use crate::offload::Offload;
use crate::options::Options;
use crate::route::NONE;
use crate::runtime::{ObservedPool, Sample};
use crate::state::State;
use crate::watchdog::Watchdog;

const LIMIT: usize = 40;
const SAMPLES: usize = 600;
const DEADLINE: Duration = Duration::from_secs(10);

/// Waits until a condition holds.
fn wait_for(clock: &Clock, deadline: Duration, mut condition: impl FnMut() -> bool) {
    let end = clock.ticks() + clock.ticks_in(deadline);
    while !condition() {
        assert!(clock.ticks() < end, "the condition did not hold in time");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Keeps this many pool threads busy while the returned senders live.
fn keep_busy(runtime: &Runtime, tasks: usize) -> Vec<Sender<()>> {
    let (begin, begun) = channel();
    let hold = |_| {
        let ((gate, wait), begin) = (channel::<()>(), begin.clone());
        drop(runtime.spawn_blocking(move || {
            begin.send(()).unwrap();
            let _ = wait.recv();
        }));
        gate
    };
    let gates = (0..tasks).map(hold).collect();
    for _ in 0..tasks {
        begun.recv_timeout(DEADLINE).unwrap();
    }
    gates
}

struct Comparison {
    runtime: Runtime,
    state: Arc<State>,
    _threads: (Watchdog, PoolMonitor),
    samples: usize,
    /// How many samples agree on threads, idle threads and queued tasks.
    agree: [usize; 3],
}

impl Comparison {
    fn new(threads: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name(threads)
            .max_blocking_threads(LIMIT)
            .thread_keep_alive(Duration::from_millis(400))
            .enable_all()
            .build()
            .unwrap();
        let state = Arc::new(State::new(Options::default(), Clock::new()));
        let (bounds, handle) = (state.instance.recorder.bounds(), runtime.handle().clone());
        state
            .runtimes
            .observe(handle, "main".into(), bounds, LIMIT, state.clock())
            .unwrap();
        let offload = Offload::start(Arc::clone(&state)).unwrap();
        let comparison = Self {
            runtime,
            _threads: (
                Watchdog::start(Arc::clone(&state), offload.clone()).unwrap(),
                PoolMonitor::start(Arc::clone(&state), offload).unwrap(),
            ),
            state,
            samples: 0,
            agree: [0; 3],
        };
        // Waits until the signature of idle threads has been learnt.
        wait_for(comparison.state.clock(), DEADLINE, || {
            // A probe that is polled on a worker reports the name of the runtime's threads.
            comparison.state.probe_runtimes();
            let estimate = comparison.estimate();
            estimate.threads.is_some() && estimate.idle.is_some()
        });
        comparison
    }

    fn pool(&self) -> ObservedPool {
        self.state.runtimes.pools().remove(0)
    }

    fn estimate(&self) -> Sample {
        self.state.refresh_pools(Duration::from_secs(1));
        self.pool().pool.sample().unwrap_or_default()
    }

    /// Takes one sample. Discards it if the pool changes meanwhile.
    fn sample(&mut self) {
        let exact = || self.pool().exact.unwrap();
        let before = exact();
        let estimate = self.estimate();
        if exact() != before {
            return;
        }
        self.samples += 1;
        self.agree[0] += usize::from(estimate.threads == Some(before.threads));
        self.agree[1] += usize::from(estimate.idle == Some(before.idle));
        self.agree[2] += usize::from(estimate.queued == before.queue as u64);
    }

    fn shares(&self, load: &str) -> [f64; 3] {
        let [threads, idle, queue] = self.agree.map(|n| n as f64 / self.samples as f64);
        println!(
            "{load}: {} samples; agree on threads {threads:.3}, idle {idle:.3}, queue {queue:.3}",
            self.samples
        );
        [threads, idle, queue]
    }
}

#[test]
fn estimates_agree_with_tokios_own_figures() {
    let mut comparison = Comparison::new("agree");
    let mut load = Vec::new();
    for round in 0.. {
        // The load rises, exceeds the limit, falls, and ends.
        match round % 12 {
            0 => load.clear(),
            1..=8 => load.push(keep_busy(&comparison.runtime, 4)),
            9 => {
                load.push(keep_busy(&comparison.runtime, LIMIT - 32));
                let _entered = comparison.runtime.enter();
                for _ in 0..10 {
                    drop(Origin::named(&comparison.state.instance, NONE).spawn(|| ()));
                }
            }
            _ => load.truncate(3),
        }
        for _ in 0..12 {
            comparison.sample();
            std::thread::sleep(Duration::from_millis(2));
        }
        if comparison.samples >= SAMPLES {
            break;
        }
    }
    let shares = comparison.shares("tasks that come and go");
    assert!(shares.iter().all(|share| *share >= 0.98), "{shares:?}");
    drop(load);

    // `tokio::fs` runs very short tasks, which begin and end during a sample.
    let mut comparison = Comparison::new("files");
    let running = Arc::new(());
    for _ in 0..4 {
        let running = Arc::downgrade(&running);
        drop(comparison.runtime.spawn(async move {
            while running.strong_count() > 0 {
                let _ = tokio::fs::metadata("/").await;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }));
    }
    let clock = comparison.state.clock().clone();
    wait_for(&clock, 4 * DEADLINE, || {
        comparison.sample();
        comparison.samples >= SAMPLES
    });
    drop(running);
    let [threads, idle, queue] = comparison.shares("short tasks of tokio::fs");
    assert!(threads >= 0.98 && idle >= 0.85 && queue >= 0.85);
}
