//! What is known of a blocking pool on stable tokio, against what tokio says
//! under `tokio_unstable`. A test binary of its own: other tests' threads would
//! hold up the samples.
#![cfg(all(tokio_unstable, target_os = "linux"))]

mod support;

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use support::{DEADLINE, Metrics, two_workers, wait_for};
use tokio::runtime::Runtime;
use tower_runtime_health::RuntimeHealth;

const LIMIT: usize = 40;
const SAMPLES: usize = 600;

/// Keeps so many pool threads busy as long as the senders live.
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
    health: RuntimeHealth,
    samples: usize,
    /// On threads, idle threads, tasks queued.
    agree: [usize; 3],
}

impl Comparison {
    fn new(threads: &str) -> Self {
        let runtime = two_workers()
            .thread_name(threads)
            .max_blocking_threads(LIMIT)
            .thread_keep_alive(Duration::from_millis(400))
            .enable_all()
            .build()
            .unwrap();
        let health = RuntimeHealth::builder()
            .blocking_threads_max(LIMIT)
            .observe_runtime(runtime.handle(), "main")
            .start()
            .unwrap();
        // Until it is known what an idle thread looks like.
        wait_for(DEADLINE, || {
            // Sends a probe to a worker, which tells the name of its threads.
            health.render();
            let known = health.pool_estimates();
            matches!(known.first(), Some((Some(_), Some(_), _)))
        });
        Self {
            runtime,
            health,
            samples: 0,
            agree: [0; 3],
        }
    }

    fn exact(&self) -> (usize, usize, usize) {
        let metrics = self.runtime.metrics();
        let threads = metrics.num_blocking_threads();
        let idle = metrics.num_idle_blocking_threads();
        (threads, idle, metrics.blocking_queue_depth())
    }

    /// Takes one sample. One that spans a change can't be compared.
    fn sample(&mut self) {
        let before = self.exact();
        let (threads, idle, queued) = self.health.pool_estimates().remove(0);
        if self.exact() != before {
            return;
        }
        // Without the probe, which tokio counts.
        let page = Metrics::parse(&self.health.render());
        let probe = page.value(
            "runtime_health_blocking_probe_age_seconds",
            &[("runtime", "main")],
        );
        let queue = before.2 - usize::from(before.2 > 0 && probe > Some(0.0));
        self.samples += 1;
        self.agree[0] += usize::from(threads == Some(before.0));
        self.agree[1] += usize::from(idle == Some(before.1));
        self.agree[2] += usize::from(queued == queue as u64);
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
        // More and more, over the limit, some, none.
        match round % 12 {
            0 => load.clear(),
            1..=8 => load.push(keep_busy(&comparison.runtime, 4)),
            9 => {
                load.push(keep_busy(&comparison.runtime, LIMIT - 32));
                let _entered = comparison.runtime.enter();
                for _ in 0..10 {
                    drop(comparison.health.spawn_blocking(|| ()));
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

    // Files, by very short tasks that change while one looks.
    let mut comparison = Comparison::new("files");
    let running = std::sync::Arc::new(());
    for _ in 0..4 {
        let running = std::sync::Arc::downgrade(&running);
        drop(comparison.runtime.spawn(async move {
            while running.strong_count() > 0 {
                let _ = tokio::fs::metadata("/").await;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }));
    }
    wait_for(4 * DEADLINE, || {
        comparison.sample();
        comparison.samples >= SAMPLES
    });
    drop(running);
    let [threads, idle, queue] = comparison.shares("short tasks of tokio::fs");
    assert!(threads >= 0.98 && idle >= 0.85 && queue >= 0.85);
}
