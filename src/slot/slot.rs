use std::num::NonZeroU64;

use super::StackAnchor;
use super::ended::{EndedPoll, EndedPolls};
use super::word::{pack, unpack};
use crate::model::{Cause, ClosedSet, Phase, RuntimeId, Series};
use crate::sync::{AtomicU64, Ordering, fence};

/// The current poll of one thread.
///
/// A sequence lock with one writer, turned inside out: the *even* state (no
/// poll) is the one in which the fields may change, and the *odd* state (a poll
/// in progress) is the one a reader wants, so a reader almost never has to try
/// again.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Slot {
    /// Odd while a poll is in progress; each poll adds 2. Stored with
    /// `Release` by `enter` and `leave`, loaded with `Acquire` by `read`: who
    /// sees an odd number sees the fields that `enter` wrote before it.
    sequence: AtomicU64,
    start: AtomicU64,
    /// Route, method and phase in one word, so they never disagree.
    what: AtomicU64,
    /// The stack pointer of the frame that polls, and an instruction of its
    /// function: where a walk up this thread's stack has to arrive.
    stack: AtomicU64,
    code: AtomicU64,
    /// What the watchdog says of a poll: the poll's sequence and a cause, in
    /// one word, so it publishes nothing but itself. The watchdog writes it.
    cause_of: AtomicU64,
    /// Number of the observed runtime whose worker the thread has been; 0 as
    /// long as that is not known. Publishes nothing but itself.
    runtime: AtomicU64,
    ended: EndedPolls,
    thread: Box<str>,
    thread_id: i32,
}

/// A poll that was in progress when its slot was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InProgress {
    /// Tells this poll from all others of its thread.
    pub(crate) sequence: u64,
    /// When it began, in ticks.
    pub(crate) start: u64,
    pub(crate) series: Series,
    pub(crate) phase: Phase,
    pub(crate) anchor: StackAnchor,
}

impl Slot {
    pub(crate) fn new(thread: Box<str>, thread_id: i32) -> Self {
        Self {
            sequence: AtomicU64::new(0),
            start: AtomicU64::new(0),
            what: AtomicU64::new(0),
            stack: AtomicU64::new(0),
            code: AtomicU64::new(0),
            cause_of: AtomicU64::new(0),
            runtime: AtomicU64::new(0),
            ended: EndedPolls::new(),
            thread,
            thread_id,
        }
    }

    /// Name of the thread, empty if it has none.
    pub(crate) fn thread(&self) -> &str {
        &self.thread
    }

    /// The kernel's number of the thread; 0 where nothing needs it.
    pub(crate) fn thread_id(&self) -> i32 {
        self.thread_id
    }

    /// The observed runtime whose worker the thread has been, if that is known.
    pub(crate) fn runtime(&self) -> Option<RuntimeId> {
        NonZeroU64::new(self.runtime.load(Ordering::Relaxed)).map(RuntimeId)
    }

    /// The thread is a worker of this runtime.
    pub(crate) fn set_runtime(&self, runtime: RuntimeId) {
        self.runtime.store(runtime.0.get(), Ordering::Relaxed);
    }

    /// Publishes a poll. Only the owning thread may call it, while none is
    /// published.
    #[inline]
    pub(crate) fn enter(&self, start: u64, series: Series, phase: Phase, anchor: StackAnchor) {
        // Orders the even number that `leave` stored before the stores below:
        // a reader that sees any of the new fields and then fences sees that
        // the sequence has moved on. Partner: the fence in `read`.
        fence(Ordering::Release);
        self.start.store(start, Ordering::Relaxed);
        self.what.store(pack(series, phase), Ordering::Relaxed);
        self.stack.store(anchor.stack, Ordering::Relaxed);
        self.code.store(anchor.code, Ordering::Relaxed);
        self.step();
    }

    /// Takes the poll back. Only the owning thread may call it, while one is
    /// published.
    #[inline]
    pub(crate) fn leave(&self) {
        self.step();
    }

    /// A plain load and store, since only the owning thread writes it.
    #[inline]
    fn step(&self) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence
            .store(sequence.wrapping_add(1), Ordering::Release);
    }

    /// Whether a poll is in progress. Only the owning thread may call it.
    #[inline]
    pub(crate) fn is_entered(&self) -> bool {
        self.sequence.load(Ordering::Relaxed) & 1 == 1
    }

    /// When the last poll began. Only the owning thread may call it.
    #[inline]
    pub(crate) fn started(&self) -> u64 {
        self.start.load(Ordering::Relaxed)
    }

    /// Leaves a note that the poll in progress ends now, after so many ticks.
    /// Only the owning thread may call it, before `leave`: whoever then sees
    /// the slot left also finds the note.
    ///
    /// Gives the cause under which the poll is to be counted: the one the
    /// watchdog has named by now. `None` if it has named none: who takes a note
    /// without a cause finds one, and counts the poll.
    pub(crate) fn note_ended(&self, ticks: u64) -> Option<Cause> {
        let Some(poll) = self.read() else {
            return Some(Cause::Unknown);
        };
        let cause = self.cause_of(poll.sequence);
        let is_noted = self.ended.push(EndedPoll {
            sequence: poll.sequence,
            start: poll.start,
            ticks,
            series: poll.series,
            phase: poll.phase,
            cause,
        });
        (cause != Cause::Unknown || !is_noted).then_some(cause)
    }

    /// Whether a note was not taken yet. Only the owning thread may call it.
    pub(crate) fn has_notes(&self) -> bool {
        self.ended.has_any()
    }

    /// Names the cause of the poll in progress, as far as it is known. Only
    /// the watchdog may call it. A poll that ends first is not affected.
    pub(crate) fn set_cause(&self, sequence: u64, cause: Cause) {
        let word = sequence << 8 | cause as u64;
        self.cause_of.store(word, Ordering::Relaxed);
    }

    /// What was said of a poll.
    pub(crate) fn cause_of(&self, sequence: u64) -> Cause {
        let word = self.cause_of.load(Ordering::Relaxed);
        if word >> 8 == sequence & (u64::MAX >> 8) && word != 0 {
            Cause::from_index((word & 0xff) as usize).unwrap_or(Cause::Unknown)
        } else {
            Cause::Unknown
        }
    }

    /// The notes not taken yet, and how many found no place. Only the
    /// watchdog may call it.
    pub(crate) fn take_ended(&self, each: impl FnMut(EndedPoll)) -> u64 {
        self.ended.drain(each)
    }

    /// Where the sequence stands: it moves with every poll.
    pub(crate) fn activity(&self) -> u64 {
        self.sequence.load(Ordering::Acquire)
    }

    /// The poll in progress, from any thread. `None` if there is none, or if
    /// it ended while it was read.
    pub(crate) fn read(&self) -> Option<InProgress> {
        let sequence = self.sequence.load(Ordering::Acquire);
        if sequence & 1 == 0 {
            return None;
        }
        let start = self.start.load(Ordering::Relaxed);
        let what = self.what.load(Ordering::Relaxed);
        let anchor = StackAnchor {
            stack: self.stack.load(Ordering::Relaxed),
            code: self.code.load(Ordering::Relaxed),
        };
        // Orders the loads above before the load below. Partner: the fence in
        // `enter`.
        fence(Ordering::Acquire);
        if self.sequence.load(Ordering::Relaxed) != sequence {
            return None;
        }
        let (series, phase) = unpack(what)?;
        Some(InProgress {
            sequence,
            start,
            series,
            phase,
            anchor,
        })
    }
}

#[cfg(all(test, not(runtime_health_loom)))]
mod tests {
    use super::*;
    use crate::model::{Method, RouteId};
    use std::sync::atomic::AtomicBool;

    fn series(route: u32) -> Series {
        Series::new(RouteId(route), Method::Delete)
    }

    #[test]
    fn a_slot_shows_its_poll_from_enter_to_leave() {
        let slot = Slot::new("worker".into(), 0);
        assert_eq!(slot.read(), None);
        slot.enter(42, series(7), Phase::Body, StackAnchor::default());
        let seen = slot.read().unwrap();
        assert_eq!(
            (seen.start, seen.series, seen.phase),
            (42, series(7), Phase::Body)
        );
        slot.leave();
        assert_eq!(slot.read(), None);
        slot.enter(43, series(7), Phase::Body, StackAnchor::default());
        assert_ne!(slot.read().unwrap().sequence, seen.sequence);
    }

    #[test]
    fn a_word_survives_the_round_trip() {
        for &phase in Phase::ALL {
            let series = Series::new(RouteId(u32::MAX >> 4), Method::Other);
            assert_eq!(unpack(pack(series, phase)), Some((series, phase)));
        }
        assert_eq!(unpack(0xff), None);
    }

    #[test]
    fn what_is_read_always_belongs_together() {
        let (slot, done) = (Slot::new("worker".into(), 0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for start in 1..2_000_000_u64 {
                    slot.enter(
                        start,
                        series(start as u32),
                        Phase::Poll,
                        StackAnchor::default(),
                    );
                    slot.leave();
                }
                done.store(true, Ordering::Release);
            });
            let mut reads = 0_u32;
            while !done.load(Ordering::Acquire) || reads == 0 {
                if let Some(seen) = slot.read() {
                    assert_eq!(seen.start as u32, seen.series.route().0);
                    assert_eq!(seen.sequence, seen.start * 2 - 1);
                    reads += 1;
                } else if done.load(Ordering::Acquire) {
                    break;
                }
            }
        });
    }
}
