use std::num::NonZeroU64;

use super::StackAnchor;
use super::ended::{EndedPoll, EndedPolls};
use super::word::{pack, unpack};
use crate::model::{Cause, ClosedSet, Phase, RuntimeId, Series};
use crate::sync::{AtomicU64, Ordering, fence};

/// The current poll of one thread.
///
/// A sequence lock with one writer and inverted states. The fields may change in the
/// *even* state (no poll). Readers want the *odd* state (a poll in progress). A read
/// fails only if the poll ends meanwhile.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Slot {
    /// Odd while a poll is in progress; each poll adds 2. Stored with
    /// `Release` by `enter` and `leave`, loaded with `Acquire` by `read`: a
    /// reader that sees an odd number sees the fields that `enter` wrote before it.
    sequence: AtomicU64,
    start: AtomicU64,
    /// Route, method and phase in one word, so they never disagree.
    what: AtomicU64,
    /// The stack pointer of the polling frame. With `code`, it is the anchor where a
    /// walk of this thread's stack must arrive.
    stack: AtomicU64,
    code: AtomicU64,
    /// The cause that the watchdog found for a poll: the poll's sequence and the cause
    /// in one word. It publishes no other data. Written by the watchdog only.
    cause_of: AtomicU64,
    /// The id of the observed runtime whose worker the thread has been, or 0 if
    /// unknown. It publishes no other data.
    runtime: AtomicU64,
    ended: EndedPolls,
    thread: Box<str>,
    thread_id: i32,
}

/// A poll that was in progress when its slot was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InProgress {
    /// Identifies this poll among all polls of its thread.
    pub(crate) sequence: u64,
    /// The start of the poll, in ticks.
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

    /// Returns the name of the thread, or an empty string if it has none.
    pub(crate) fn thread(&self) -> &str {
        &self.thread
    }

    /// Returns the kernel's id of the thread, or 0 where the platform has none.
    pub(crate) fn thread_id(&self) -> i32 {
        self.thread_id
    }

    /// Returns the observed runtime whose worker the thread has been, if known.
    pub(crate) fn runtime(&self) -> Option<RuntimeId> {
        NonZeroU64::new(self.runtime.load(Ordering::Relaxed)).map(RuntimeId)
    }

    /// Sets the runtime that the thread is a worker of.
    pub(crate) fn set_runtime(&self, runtime: RuntimeId) {
        self.runtime.store(runtime.0.get(), Ordering::Relaxed);
    }

    /// Publishes a poll. Only the owning thread may call it, and only while no poll is
    /// published.
    #[inline]
    pub(crate) fn enter(&self, start: u64, series: Series, phase: Phase, anchor: StackAnchor) {
        // Orders the even number that `leave` stored before the stores below:
        // a reader that sees any of the new fields and then fences sees that
        // the sequence has changed. Partner: the fence in `read`.
        fence(Ordering::Release);
        self.start.store(start, Ordering::Relaxed);
        self.what.store(pack(series, phase), Ordering::Relaxed);
        self.stack.store(anchor.stack, Ordering::Relaxed);
        self.code.store(anchor.code, Ordering::Relaxed);
        self.step();
    }

    /// Withdraws the poll. Only the owning thread may call it, and only while a poll is
    /// published.
    #[inline]
    pub(crate) fn leave(&self) {
        self.step();
    }

    /// Increments the sequence. A plain load and store suffice, because only the owning
    /// thread writes it.
    #[inline]
    fn step(&self) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence
            .store(sequence.wrapping_add(1), Ordering::Release);
    }

    /// Returns whether a poll is in progress. Only the owning thread may call it.
    #[inline]
    pub(crate) fn is_entered(&self) -> bool {
        self.sequence.load(Ordering::Relaxed) & 1 == 1
    }

    /// Returns the start of the last poll, in ticks. Only the owning thread may call it.
    #[inline]
    pub(crate) fn started(&self) -> u64 {
        self.start.load(Ordering::Relaxed)
    }

    /// Records that the poll in progress ends now, after `ticks`. Only the owning thread
    /// may call it, and only before `leave`: a reader that sees the slot left then also
    /// finds the note.
    ///
    /// Returns the cause to count the poll under: the one the watchdog has set so far.
    /// Returns `None` if it has set none. The watchdog then finds a cause when it takes
    /// the note, and counts the poll.
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

    /// Returns whether a note has not been taken yet. Only the owning thread may call it.
    pub(crate) fn has_notes(&self) -> bool {
        self.ended.has_any()
    }

    /// Sets the cause of the poll in progress. Only the watchdog may call it. It has no
    /// effect on a poll that has already ended.
    pub(crate) fn set_cause(&self, sequence: u64, cause: Cause) {
        let word = sequence << 8 | cause as u64;
        self.cause_of.store(word, Ordering::Relaxed);
    }

    /// Returns the cause that was set for a poll.
    pub(crate) fn cause_of(&self, sequence: u64) -> Cause {
        let word = self.cause_of.load(Ordering::Relaxed);
        if word >> 8 == sequence & (u64::MAX >> 8) && word != 0 {
            Cause::from_index((word & 0xff) as usize).unwrap_or(Cause::Unknown)
        } else {
            Cause::Unknown
        }
    }

    /// Takes all notes. Returns how many were dropped because the queue was full. Only
    /// the watchdog may call it.
    pub(crate) fn take_ended(&self, each: impl FnMut(EndedPoll)) -> u64 {
        self.ended.drain(each)
    }

    /// Returns the sequence, which changes with every poll.
    pub(crate) fn activity(&self) -> u64 {
        self.sequence.load(Ordering::Acquire)
    }

    /// Returns the poll in progress. Any thread may call it. Returns `None` if there is
    /// none, or if it ended during the read.
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
