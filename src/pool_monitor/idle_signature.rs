//! Which threads of a pool have nothing to do, from outside.
//!
//! An idle pool thread waits in one place of tokio's code. Its instruction, the
//! return addresses from there down to the thread's start, and their distances
//! from the stack pointer are the same for all of them: its *signature*. Each
//! return address that is equal proves that the frame below it is the same
//! function's, so who has all of them waits for work and for nothing else: a
//! task's frames would stand in between.
//!
//! The signature is learnt in this process, from pool threads that are idle for
//! certain: those of small runtimes that are made for it and end right after.
//! They run the same code as the service's. There it is also tried on threads
//! that wait within a task, in the ways that look most alike; where it takes one
//! of them for idle there is no signature, and idleness stays unknown.

use std::hint::black_box;
use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::capture::{Blocked, RunState, ThreadFiles, return_addresses};
use crate::clock::Clock;
use crate::sys::memory;

/// How much of a stack is compared. In a debug build the frames of an idle
/// thread take 3.5 KiB.
const WINDOW: usize = 6 * 1024;
const WORD: usize = 8;

/// With fewer words than these a signature proves nothing.
const FEWEST: usize = 4;

/// How long a thread may take to come to rest.
const PATIENCE: Duration = Duration::from_millis(500);

/// What all idle pool threads have in common.
#[derive(Clone, Debug)]
pub(super) struct Signature {
    code: u64,
    /// Offset from the stack pointer, in words, and the word there.
    words: Vec<(usize, u64)>,
}

/// A blocked thread's code and the words on its stack.
struct StackView {
    blocked: Blocked,
    words: Vec<u64>,
}

impl StackView {
    /// `None` if the thread runs, or moved meanwhile.
    fn of(files: &ThreadFiles) -> Option<Self> {
        let Some(RunState::Blocked(blocked)) = files.state() else {
            return None;
        };
        let mut bytes = vec![0; WINDOW];
        let length = memory::read(blocked.stack, &mut bytes);
        let words = bytes
            .get(..length)?
            .chunks_exact(WORD)
            .filter_map(|word| Some(u64::from_le_bytes(word.try_into().ok()?)));
        let words = words.collect();
        (files.state() == Some(RunState::Blocked(blocked))).then_some(Self { blocked, words })
    }
}

impl StackView {
    /// The return addresses and where they are. Other words that look like some
    /// were left by functions that have returned.
    fn return_addresses(&self) -> Vec<(usize, u64)> {
        let bytes = self.words.iter().flat_map(|word| word.to_le_bytes());
        let mut words = self.words.iter().copied().enumerate();
        let addresses = return_addresses(self.blocked, bytes.collect());
        let found = addresses
            .into_iter()
            .map_while(|address| words.find(|(_, word)| *word == address));
        found.collect()
    }
}

impl Signature {
    /// Of every thread that stands there.
    #[cfg(test)]
    pub(super) fn of_code(code: u64) -> Self {
        let words = Vec::new();
        Self { code, words }
    }

    /// Whether a thread waits for work. `None` if it is gone or cannot be read.
    pub(super) fn is_idle(&self, files: &ThreadFiles) -> Option<bool> {
        let blocked = match files.state()? {
            RunState::Blocked(blocked) if blocked.code == self.code => blocked,
            _ => return Some(false),
        };
        let most = self.words.last().map_or(0, |(offset, _)| offset + 1);
        let mut bytes = vec![0; most * WORD];
        let length = memory::read(blocked.stack, &mut bytes);
        let has = |(offset, word): &(usize, u64)| {
            let from = offset * WORD;
            let bytes = bytes.get(..length).and_then(|b| b.get(from..from + WORD));
            bytes == Some(word.to_le_bytes().as_slice())
        };
        Some(self.words.iter().all(has))
    }

    /// Keeps what another view of an idle thread has, too.
    fn narrow(signature: &mut Option<Self>, view: &StackView) {
        match signature {
            None => {
                *signature = Some(Self {
                    code: view.blocked.code,
                    words: view.return_addresses(),
                });
            }
            Some(known) => {
                if known.code != view.blocked.code {
                    known.words.clear();
                }
                known
                    .words
                    .retain(|(offset, word)| view.words.get(*offset) == Some(word));
            }
        }
    }

    /// Learns it, in some milliseconds. `None` where threads cannot be read, or
    /// where it does not tell idle threads from others.
    ///
    /// Starts two runtimes of one pool thread each, one after the other, and
    /// ends them.
    pub(super) fn learn(clock: &Clock) -> Option<Self> {
        let mut signature = None;
        // Two, so that nothing of one runtime's own is taken for common.
        for round in 0..2 {
            let subject = Subject::start(clock)?;
            // Each leaves something else on the stack, where the frames of an
            // idle thread have gaps.
            for view in [
                subject.idle_after(round, [0; 1])?,
                subject.idle_after(round + 10, [1; 9])?,
                subject.idle_after(round + 20, [2; 70])?,
            ] {
                Self::narrow(&mut signature, &view);
            }
            for wait in WAITS {
                let busy = subject.busy_in(*wait)?;
                let is_taken_for_idle = signature.as_ref()?.is_like(&busy);
                let idle = subject.idle_after(round + 30, [3; 20])?;
                Self::narrow(&mut signature, &idle);
                // What has just been narrowed must still tell them apart.
                if is_taken_for_idle || signature.as_ref()?.is_like(&busy) {
                    return None;
                }
            }
        }
        signature.filter(|known| known.words.len() >= FEWEST)
    }

    fn is_like(&self, view: &StackView) -> bool {
        let has = |(offset, word): &(usize, u64)| view.words.get(*offset) == Some(word);
        self.code == view.blocked.code && self.words.iter().all(has)
    }
}

/// Ways in which a task waits for a word on a channel, or for nothing else.
const WAITS: &[fn(mpsc::Receiver<()>)] = &[
    |gate| {
        let _ = gate.recv();
    },
    |gate| {
        let _ = gate.recv_timeout(PATIENCE);
    },
    // By a condition variable, as tokio waits for work where it uses std's.
    |gate| {
        let (lock, changed) = (std::sync::Mutex::new(()), std::sync::Condvar::new());
        while gate.try_recv() == Err(mpsc::TryRecvError::Empty) {
            if let Ok(held) = lock.lock() {
                drop(changed.wait_timeout(held, Duration::from_millis(20)));
            }
        }
    },
    // By tokio's own, which may be parking_lot's.
    |gate| {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.block_on(Await(gate));
        }
    },
];

/// Ready when the channel says so. Woken by the thread that it is polled on:
/// nobody else knows of it.
struct Await(mpsc::Receiver<()>);

impl Future for Await {
    type Output = ();

    fn poll(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<()> {
        match self.0.try_recv() {
            Err(mpsc::TryRecvError::Empty) => {
                let waker = cx.waker().clone();
                let later = std::thread::Builder::new().spawn(move || {
                    std::thread::sleep(Duration::from_millis(5));
                    waker.wake();
                });
                match later {
                    Ok(_) => std::task::Poll::Pending,
                    Err(_) => std::task::Poll::Ready(()),
                }
            }
            _ => std::task::Poll::Ready(()),
        }
    }
}

/// A runtime with one pool thread, whose state is known at all times.
struct Subject<'c> {
    runtime: Option<Runtime>,
    files: ThreadFiles,
    clock: &'c Clock,
}

impl<'c> Subject<'c> {
    fn start(clock: &'c Clock) -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .thread_name("pool-learn")
            .build()
            .ok()?;
        let (tell, told) = mpsc::channel();
        drop(runtime.spawn_blocking(move || {
            let _ = tell.send(crate::sys::thread_id());
        }));
        let thread = told.recv_timeout(PATIENCE).ok()?;
        Some(Self {
            runtime: Some(runtime),
            files: ThreadFiles::open(thread, true),
            clock,
        })
    }

    /// The thread at rest after a task that has left `load` and marks of its
    /// own on the stack.
    fn idle_after<const N: usize>(&self, mark: u64, load: [u64; N]) -> Option<StackView> {
        let (tell, told) = mpsc::channel::<()>();
        drop(self.runtime.as_ref()?.spawn_blocking(move || {
            scribble(mark.wrapping_add(load.iter().sum()));
            // Dropped when the thread has left the closure.
            drop(tell);
        }));
        let _ = told.recv_timeout(PATIENCE);
        self.at_rest()
    }

    fn busy_in(&self, wait: fn(mpsc::Receiver<()>)) -> Option<StackView> {
        let (open, gate) = mpsc::channel();
        let (tell, told) = mpsc::channel::<()>();
        drop(self.runtime.as_ref()?.spawn_blocking(move || {
            drop(tell);
            wait(gate);
        }));
        let _ = told.recv_timeout(PATIENCE);
        let view = self.at_rest();
        let _ = open.send(());
        view
    }

    /// The thread, once it has stood still for a while.
    fn at_rest(&self) -> Option<StackView> {
        const STILL: Duration = Duration::from_micros(200);
        let end = self.clock.ticks() + self.clock.ticks_in(PATIENCE);
        while self.clock.ticks() < end {
            let before = self.files.slices();
            std::thread::sleep(STILL);
            if before.is_some()
                && self.files.slices() == before
                && let Some(view) = StackView::of(&self.files)
            {
                return Some(view);
            }
        }
        None
    }
}

impl Drop for Subject<'_> {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Overwrites what others have left on the stack.
#[inline(never)]
fn scribble(mark: u64) {
    let mut words = [mark; WINDOW / WORD];
    black_box(&mut words);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_threads_are_told_from_those_that_wait_in_a_task() {
        let clock = Clock::new();
        let signature = Signature::learn(&clock).unwrap();
        let subject = Subject::start(&clock).unwrap();
        subject.idle_after(77, [5; 33]).unwrap();
        assert_eq!(
            signature.is_idle(&subject.files),
            Some(true),
            "{signature:x?}"
        );
        for (index, wait) in WAITS.iter().enumerate() {
            let (open, gate) = mpsc::channel();
            let wait = *wait;
            let task = subject
                .runtime
                .as_ref()
                .unwrap()
                .spawn_blocking(move || wait(gate));
            assert!(subject.at_rest().is_some());
            assert_eq!(signature.is_idle(&subject.files), Some(false), "{index}");
            open.send(()).unwrap();
            while !task.is_finished() {
                std::thread::yield_now();
            }
            subject.at_rest().unwrap();
            assert_eq!(signature.is_idle(&subject.files), Some(true), "{index}");
        }
    }

    #[test]
    fn threads_of_any_runtime_are_recognised() {
        let clock = Clock::new();
        let signature = Signature::learn(&clock).unwrap();
        let mut many = tokio::runtime::Builder::new_multi_thread();
        let mut one = tokio::runtime::Builder::new_current_thread();
        for builder in [many.worker_threads(1), &mut one] {
            let runtime = builder.thread_name("x").enable_all().build().unwrap();
            let (tell, told) = mpsc::channel();
            for _ in 0..4 {
                let tell = tell.clone();
                drop(runtime.spawn_blocking(move || {
                    std::thread::sleep(Duration::from_millis(20));
                    tell.send(crate::sys::thread_id())
                }));
            }
            drop(tell);
            for thread in told {
                let files = ThreadFiles::open(thread, true);
                let subject = Subject {
                    runtime: None,
                    files,
                    clock: &clock,
                };
                let view = subject.at_rest().unwrap();
                assert_eq!(view.blocked.code, signature.code);
                let mut words = signature.words.iter();
                let differs = words.find(|(at, word)| view.words.get(*at) != Some(word));
                assert_eq!(differs, None, "{:x?}", signature);
                assert_eq!(signature.is_idle(&subject.files), Some(true));
            }
        }
    }

    #[test]
    fn what_is_gone_is_neither() {
        let clock = Clock::new();
        let signature = Signature::learn(&clock).unwrap();
        let subject = Subject::start(&clock).unwrap();
        let files = ThreadFiles::open(i32::MAX - 7, true);
        assert_eq!(signature.is_idle(&files), None);
        drop(subject);
    }
}
