use std::hint::black_box;
use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::idle_signature::{Signature, StackView, WINDOW, WORD};
use crate::capture::ThreadFiles;
use crate::clock::Clock;

/// How long a thread may take until it is blocked.
const TIMEOUT: Duration = Duration::from_millis(500);

/// Learns the signature of idle pool threads, within some milliseconds. Returns `None` if
/// threads cannot be read, or if the signature also matches threads that are not idle.
///
/// The signature is learnt in this process, from pool threads that are certain to be idle:
/// those of two small runtimes, which are started one after the other and end right after.
/// They run the same code as the service's. The signature is then checked against threads
/// that wait within a task, in the ways that resemble idleness most.
pub(super) fn learn(clock: &Clock) -> Option<Signature> {
    let mut signature = None;
    // A second runtime removes the words that only one runtime's threads have.
    for round in 0..2 {
        let subject = Subject::start(clock)?;
        // Each task leaves other words in the gaps between the frames of an idle thread.
        for view in [
            subject.idle_after(round, [0; 1])?,
            subject.idle_after(round + 10, [1; 9])?,
            subject.idle_after(round + 20, [2; 70])?,
        ] {
            Signature::narrow(&mut signature, &view);
        }
        for wait in WAITS {
            let busy = subject.busy_in(*wait)?;
            let is_misidentified = signature.as_ref()?.matches(&busy);
            let idle = subject.idle_after(round + 30, [3; 20])?;
            Signature::narrow(&mut signature, &idle);
            // The narrowed signature must not match the busy thread either.
            if is_misidentified || signature.as_ref()?.matches(&busy) {
                return None;
            }
        }
    }
    signature.filter(Signature::is_conclusive)
}

/// Ways in which a task waits for a message on a channel.
const WAITS: &[fn(mpsc::Receiver<()>)] = &[
    |gate| {
        let _ = gate.recv();
    },
    |gate| {
        let _ = gate.recv_timeout(TIMEOUT);
    },
    // A condition variable of std, which tokio may wait for work with.
    |gate| {
        let (lock, changed) = (std::sync::Mutex::new(()), std::sync::Condvar::new());
        while gate.try_recv() == Err(mpsc::TryRecvError::Empty) {
            if let Ok(held) = lock.lock() {
                drop(changed.wait_timeout(held, Duration::from_millis(20)));
            }
        }
    },
    // tokio's own parker, which may use parking_lot.
    |gate| {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.block_on(Await(gate));
        }
    },
];

/// Is ready once the channel has a message or is closed. Polls itself again every 5 ms, because
/// the sender does not wake it.
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
                let timer = std::thread::Builder::new().spawn(move || {
                    std::thread::sleep(Duration::from_millis(5));
                    waker.wake();
                });
                match timer {
                    Ok(_) => std::task::Poll::Pending,
                    Err(_) => std::task::Poll::Ready(()),
                }
            }
            _ => std::task::Poll::Ready(()),
        }
    }
}

/// A runtime with one pool thread, whose state is known at every moment.
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
        let (sender, receiver) = mpsc::channel();
        drop(runtime.spawn_blocking(move || {
            let _ = sender.send(crate::sys::thread_id());
        }));
        let thread = receiver.recv_timeout(TIMEOUT).ok()?;
        Some(Self {
            runtime: Some(runtime),
            files: ThreadFiles::open(thread, true),
            clock,
        })
    }

    /// Views the idle thread after a task that has left `load` and words made from `mark` on
    /// the stack.
    fn idle_after<const N: usize>(&self, mark: u64, load: [u64; N]) -> Option<StackView> {
        let (done, is_done) = mpsc::channel::<()>();
        drop(self.runtime.as_ref()?.spawn_blocking(move || {
            overwrite_stack(mark.wrapping_add(load.iter().sum()));
            // Dropped when the thread has left the closure.
            drop(done);
        }));
        let _ = is_done.recv_timeout(TIMEOUT);
        self.when_blocked()
    }

    /// Views the thread while it waits within a task.
    fn busy_in(&self, wait: fn(mpsc::Receiver<()>)) -> Option<StackView> {
        let (open, gate) = mpsc::channel();
        let (begin, has_begun) = mpsc::channel::<()>();
        drop(self.runtime.as_ref()?.spawn_blocking(move || {
            drop(begin);
            wait(gate);
        }));
        let _ = has_begun.recv_timeout(TIMEOUT);
        let view = self.when_blocked();
        let _ = open.send(());
        view
    }

    /// Views the thread once it has executed nothing for a while.
    fn when_blocked(&self) -> Option<StackView> {
        const PAUSE: Duration = Duration::from_micros(200);
        let end = self.clock.ticks() + self.clock.ticks_in(TIMEOUT);
        while self.clock.ticks() < end {
            let before = self.files.timeslices();
            std::thread::sleep(PAUSE);
            if before.is_some()
                && self.files.timeslices() == before
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

/// Overwrites what other functions have left on the stack.
#[inline(never)]
fn overwrite_stack(mark: u64) {
    let mut words = [mark; WINDOW / WORD];
    black_box(&mut words);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_threads_are_distinguished_from_those_that_wait_in_a_task() {
        let clock = Clock::new();
        let signature = learn(&clock).unwrap();
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
            assert!(subject.when_blocked().is_some());
            assert_eq!(signature.is_idle(&subject.files), Some(false), "{index}");
            open.send(()).unwrap();
            while !task.is_finished() {
                std::thread::yield_now();
            }
            subject.when_blocked().unwrap();
            assert_eq!(signature.is_idle(&subject.files), Some(true), "{index}");
        }
    }

    #[test]
    fn idle_threads_of_any_runtime_are_recognised() {
        let clock = Clock::new();
        let signature = learn(&clock).unwrap();
        let mut many = tokio::runtime::Builder::new_multi_thread();
        let mut one = tokio::runtime::Builder::new_current_thread();
        for builder in [many.worker_threads(1), &mut one] {
            let runtime = builder.thread_name("x").enable_all().build().unwrap();
            let (sender, threads) = mpsc::channel();
            for _ in 0..4 {
                let sender = sender.clone();
                drop(runtime.spawn_blocking(move || {
                    std::thread::sleep(Duration::from_millis(20));
                    sender.send(crate::sys::thread_id())
                }));
            }
            drop(sender);
            for thread in threads {
                let files = ThreadFiles::open(thread, true);
                let subject = Subject {
                    runtime: None,
                    files,
                    clock: &clock,
                };
                let view = subject.when_blocked().unwrap();
                assert_eq!(view.blocked.code, signature.code);
                let mut words = signature.words.iter();
                let differs = words.find(|(at, word)| view.words.get(*at) != Some(word));
                assert_eq!(differs, None, "{:x?}", signature);
                assert_eq!(signature.is_idle(&subject.files), Some(true));
            }
        }
    }

    #[test]
    fn a_thread_that_has_ended_is_neither_idle_nor_busy() {
        let clock = Clock::new();
        let signature = learn(&clock).unwrap();
        let subject = Subject::start(&clock).unwrap();
        let files = ThreadFiles::open(i32::MAX - 7, true);
        assert_eq!(signature.is_idle(&files), None);
        drop(subject);
    }
}
