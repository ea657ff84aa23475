use std::sync::Arc;

use super::{Confidence, Frame, Place};
use crate::model::CallKind;

/// What another thread is doing, by the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(all(feature = "capture", target_os = "linux")),
    expect(dead_code, reason = "no state is ever read there")
)]
pub(crate) enum RunState {
    /// On a processor, or ready for one.
    Running,
    /// Blocked in a system call, or in a page fault (number −1).
    Blocked(Blocked),
}

/// A blocked thread: the system call and where its user side stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocked {
    pub(crate) number: i64,
    pub(crate) arguments: [u64; 6],
    pub(crate) stack: u64,
    pub(crate) code: u64,
}

/// A thread's own clocks, since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clocks {
    /// Nanoseconds on a processor. Exact.
    pub(crate) on_cpu: u64,
    /// Nanoseconds ready and without a processor, credited when the wait ends.
    pub(crate) waiting: u64,
}

/// A system call in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) kind: CallKind,
    pub(crate) words: Arc<str>,
}

/// How much may be read to describe a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// No tables of sockets: some microseconds.
    Little,
    /// Up to some ten milliseconds where there are many thousand sockets.
    Full,
}

/// The stack of a poll, from where its thread was up to the marker frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stack {
    pub(crate) frames: Arc<[Frame]>,
    pub(crate) place: Option<Place>,
    pub(crate) confidence: Confidence,
}

/// The two causes that only names of functions tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hints {
    /// A host name is being resolved, which the C library's function tells: its
    /// sockets and files are like any other.
    pub(crate) in_name_lookup: bool,
    /// tokio has been told that this blocks.
    pub(crate) in_block_in_place: bool,
}

impl Hints {
    pub(crate) fn of<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        names.fold(Self::default(), |hints, name| {
            hints.or(Self {
                in_name_lookup: matches!(name, "getaddrinfo" | "__GI_getaddrinfo" | "getnameinfo"),
                in_block_in_place: name.starts_with("tokio::")
                    && name.ends_with("::block_in_place"),
            })
        })
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            in_name_lookup: self.in_name_lookup || other.in_name_lookup,
            in_block_in_place: self.in_block_in_place || other.in_block_in_place,
        }
    }
}

impl Stack {
    pub(crate) fn hints(&self) -> Hints {
        let frames = self.frames.iter();
        Hints::of(frames.filter_map(|frame| frame.function.as_deref()))
    }

    /// Whether it would show functions that were inlined: the build has debug
    /// information, and it was read.
    pub(crate) fn shows_inlined(&self) -> bool {
        self.confidence == Confidence::Exact
            && self
                .frames
                .iter()
                .any(|frame| frame.is_user && frame.line.is_some())
    }
}

closed_set! {
    /// How an attempt to read a stack ended: the values of the label `result` of
    /// `captures_total`.
    pub(crate) enum CaptureOutcome {
        Exact = "exact",
        Approximate = "approximate",
        Incomplete = "incomplete",
        /// The thread moved while it was read.
        Moved = "moved",
        /// The thread was on another stack, ran without a sample being available, or could
        /// not be read.
        Unreadable = "unreadable",
        /// The limits on captures forbade it.
        Limited = "limited",
        /// A bug in the capture. Nothing else is affected.
        Panicked = "panicked",
    }
}

closed_set! {
    /// How threads are read: the values of the label `capture` of `build_info`.
    pub(crate) enum CaptureMode {
        /// Stacks of blocked threads, and samples of running ones.
        BlockedRunning = "blocked+running",
        /// Stacks of blocked threads; running ones are interrupted by a signal.
        BlockedInterrupted = "blocked+interrupted",
        /// Stacks of blocked threads only.
        Blocked = "blocked",
        /// States and clocks, but no stacks.
        State = "state",
        /// Nothing.
        None = "none",
    }
}

impl From<Confidence> for CaptureOutcome {
    fn from(confidence: Confidence) -> Self {
        match confidence {
            Confidence::Exact => Self::Exact,
            Confidence::Approximate => Self::Approximate,
            Confidence::Incomplete => Self::Incomplete,
        }
    }
}
