//! Contenders: each does the same work in its own way, and is timed.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Barrier, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use nix::time::{ClockId, clock_gettime};

use crate::child::{self, Child};

/// Does the work the given number of times. The loop is inside, so that a sample
/// pays for one call through the pointer.
pub type Work = Box<dyn FnMut(u64)>;

/// One way to do the work, on one thread or on several at once.
///
/// Its threads are its own and live as long as it does, so that contenders do not
/// share thread-local data (our layer and the metrics recorder have some).
pub struct Contender {
    pub name: String,
    repeats: u64,
    workers: Vec<Worker>,
    /// Does the work in place of the workers.
    process: Option<Child>,
    /// How often the work has been done, on all threads, with the untimed part.
    pub done: u64,
    /// Nanoseconds for one piece of work, one sample a round.
    pub samples: Vec<f64>,
}

/// Returns a clock's reading in nanoseconds.
pub type Clock = fn() -> u64;

/// Returns the CPU time of the calling thread. It does not advance while other threads
/// have the core.
pub fn cpu_time() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("every thread has one");
    (time.tv_sec() * 1_000_000_000 + time.tv_nsec()) as u64
}

/// Returns the time since the first call.
pub fn wall_time() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

struct Worker {
    repeats: SyncSender<u64>,
    nanos: Receiver<f64>,
    thread: JoinHandle<()>,
}

impl Contender {
    /// Does the work on one thread. `make` is called on that thread.
    pub fn new(
        name: &'static str,
        repeats: u64,
        make: impl Fn() -> Work + Send + Sync + 'static,
    ) -> Self {
        Self::on_threads(1, name, repeats, wall_time, make)
    }

    /// Does the work on several threads at once, each with its own result of `make`.
    pub fn on_threads(
        threads: usize,
        name: &'static str,
        repeats: u64,
        clock: Clock,
        make: impl Fn() -> Work + Send + Sync + 'static,
    ) -> Self {
        let make: Arc<dyn Fn() -> Work + Send + Sync> = Arc::new(make);
        let together = Arc::new(Barrier::new(threads));
        let start = || Worker::start(Arc::clone(&make), Arc::clone(&together), clock);
        Self {
            name: name.into(),
            repeats,
            workers: (0..threads).map(|_| start()).collect(),
            process: None,
            done: 0,
            samples: Vec::new(),
        }
    }

    /// Does the work on one thread of another process: this program with these
    /// arguments, which has to call [`serve`].
    pub fn process(name: impl Into<String>, repeats: u64, arguments: &[&str]) -> Self {
        Self {
            name: name.into(),
            repeats,
            workers: Vec::new(),
            process: Some(Child::of_this(arguments)),
            done: 0,
            samples: Vec::new(),
        }
    }

    /// Makes a contender of samples taken elsewhere.
    pub fn measured(name: impl Into<String>, samples: Vec<f64>) -> Self {
        Self {
            name: name.into(),
            repeats: 0,
            workers: Vec::new(),
            process: None,
            done: 0,
            samples,
        }
    }

    /// Takes one sample. With several threads it is the mean of theirs.
    pub fn sample(&mut self) {
        if let Some(process) = &mut self.process {
            let nanos: f64 = process
                .ask(&self.repeats.to_string())
                .parse()
                .expect("a number");
            self.samples.push(nanos / self.repeats as f64);
            self.done += self.repeats + warm_up(self.repeats);
            return;
        }
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

    /// Returns its process's answer to a question, or `None` without a process.
    pub fn ask(&mut self, question: &str) -> Option<String> {
        Some(self.process.as_mut()?.ask(question))
    }

    /// Ends its threads, or its process, and drops the work.
    pub fn finish(self) {
        if let Some(process) = self.process {
            process.end();
        }
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
    fn start(
        make: Arc<dyn Fn() -> Work + Send + Sync>,
        together: Arc<Barrier>,
        clock: Clock,
    ) -> Self {
        let (repeats, asked) = sync_channel(1);
        let (answer, nanos) = sync_channel(1);
        let run = move || {
            let mut work = make();
            for repeats in asked {
                // Another contender had the caches and the branch predictor.
                work(warm_up(repeats));
                together.wait();
                let start = clock();
                work(repeats);
                let nanos = (clock() - start) as f64;
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

/// Called in a contender's process: does the work as often as a question says and answers
/// with nanoseconds. Other questions go to `other`.
pub fn serve(mut work: Work, mut other: impl FnMut(&str) -> String) {
    child::answer(|question| {
        let Ok(repeats) = question.parse() else {
            return other(question);
        };
        work(warm_up(repeats));
        let start = Instant::now();
        work(repeats);
        start.elapsed().as_nanos().to_string()
    });
}

fn warm_up(repeats: u64) -> u64 {
    repeats / 10
}

/// Returns the number of rounds: all of them, or a fifth with `--short`, which is enough
/// to see that everything works.
pub fn rounds(all: usize) -> usize {
    let is_short = std::env::args().any(|argument| argument == "--short");
    if is_short { all / 5 } else { all }
}

/// Samples every contender once a round. Each round begins with the next contender, so
/// that a change of the machine over time affects all of them alike.
pub fn run(rounds: usize, contenders: &mut [&mut Contender]) {
    for round in 0..rounds {
        let first = round % contenders.len();
        let (head, tail) = contenders.split_at_mut(first);
        for contender in tail.iter_mut().chain(head) {
            contender.sample();
        }
    }
}
