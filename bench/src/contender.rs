//! Contenders: each does the same work in its own way, and is timed.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Barrier};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// Runs the work so many times. The loop is inside: the call through the
/// pointer is paid once a sample.
pub type Work = Box<dyn FnMut(u64)>;

/// One way to do the work, on one thread or on several at once.
///
/// Its threads are its own and live as long as it does: what one contender
/// leaves in thread-local data (our layer, the metrics recorder) is not found
/// in the way of another one's.
pub struct Contender {
    pub name: &'static str,
    repeats: u64,
    workers: Vec<Worker>,
    /// How often the work was done since the start, on all threads, the
    /// untimed part included.
    pub done: u64,
    /// Nanoseconds each, one a round.
    pub samples: Vec<f64>,
}

struct Worker {
    repeats: SyncSender<u64>,
    nanos: Receiver<f64>,
    thread: JoinHandle<()>,
}

impl Contender {
    /// On one thread. `make` is called on it.
    pub fn new(
        name: &'static str,
        repeats: u64,
        make: impl Fn() -> Work + Send + Sync + 'static,
    ) -> Self {
        Self::on_threads(1, name, repeats, make)
    }

    /// On several threads at once, each with work of its own.
    pub fn on_threads(
        threads: usize,
        name: &'static str,
        repeats: u64,
        make: impl Fn() -> Work + Send + Sync + 'static,
    ) -> Self {
        let make: Arc<dyn Fn() -> Work + Send + Sync> = Arc::new(make);
        let together = Arc::new(Barrier::new(threads));
        let start = || Worker::start(Arc::clone(&make), Arc::clone(&together));
        Self {
            name,
            repeats,
            workers: (0..threads).map(|_| start()).collect(),
            done: 0,
            samples: Vec::new(),
        }
    }

    /// One that was timed elsewhere.
    pub fn measured(name: &'static str, samples: Vec<f64>) -> Self {
        Self {
            name,
            repeats: 0,
            workers: Vec::new(),
            done: 0,
            samples,
        }
    }

    /// Takes one sample; with several threads the mean of theirs.
    pub fn sample(&mut self) {
        for worker in &self.workers {
            worker.repeats.send(self.repeats).expect("it waits for us");
        }
        let nanos: f64 = self
            .workers
            .iter()
            .map(|worker| worker.nanos.recv().expect("the work does not panic"))
            .sum();
        let threads = self.workers.len() as u64;
        self.samples
            .push(nanos / threads as f64 / self.repeats as f64);
        self.done += threads * (self.repeats + warm_up(self.repeats));
    }

    /// Ends its threads and drops the work.
    pub fn finish(self) {
        for Worker {
            repeats, thread, ..
        } in self.workers
        {
            drop(repeats);
            thread.join().expect("the work does not panic");
        }
    }
}

impl Worker {
    fn start(make: Arc<dyn Fn() -> Work + Send + Sync>, together: Arc<Barrier>) -> Self {
        let (repeats, asked) = sync_channel(1);
        let (answer, nanos) = sync_channel(1);
        let run = move || {
            let mut work = make();
            for repeats in asked {
                // Another contender had the caches and the branch predictor.
                work(warm_up(repeats));
                together.wait();
                let start = Instant::now();
                work(repeats);
                let nanos = start.elapsed().as_nanos() as f64;
                answer.send(nanos).expect("the sampler waits");
            }
        };
        Self {
            thread: thread::Builder::new()
                .name("contender".into())
                .spawn(run)
                .expect("a thread can be started"),
            repeats,
            nanos,
        }
    }
}

fn warm_up(repeats: u64) -> u64 {
    repeats / 10
}

/// With `--short` a fifth of all rounds: enough to see that everything works.
pub fn rounds(all: usize) -> usize {
    let is_short = std::env::args().any(|argument| argument == "--short");
    if is_short { all / 5 } else { all }
}

/// Samples all contenders once a round, each round beginning with another one:
/// what changes in the machine over time falls on all of them alike.
pub fn run(rounds: usize, contenders: &mut [&mut Contender]) {
    for round in 0..rounds {
        let first = round % contenders.len();
        let (head, tail) = contenders.split_at_mut(first);
        for contender in tail.iter_mut().chain(head) {
            contender.sample();
        }
    }
}
