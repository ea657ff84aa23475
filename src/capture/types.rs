use std::sync::Arc;

use super::{Confidence, Frame, Place};
use crate::model::CallKind;

/// What another thread is doing, according to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(all(feature = "capture", target_os = "linux")),
    expect(dead_code, reason = "no state is ever read there")
)]
pub(crate) enum RunState {
    /// On a CPU, or runnable.
    Running,
    /// Blocked in a system call, or in a page fault (number −1).
    Blocked(Blocked),
}

/// A blocked thread: its system call, stack pointer and instruction pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocked {
    pub(crate) number: i64,
    pub(crate) arguments: [u64; 6],
    pub(crate) stack: u64,
    pub(crate) code: u64,
}

/// A thread's own clocks, since the thread began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clocks {
    /// Nanoseconds on a CPU. Exact.
    pub(crate) on_cpu: u64,
    /// Nanoseconds runnable but waiting for a CPU. The kernel credits a wait when it ends.
    pub(crate) waiting: u64,
}

/// A described system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) kind: CallKind,
    /// As `recvfrom(fd 14, TCP socket to 127.0.0.1:9001)`.
    pub(crate) text: Arc<str>,
}

/// How much time describing a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Some microseconds: without the kernel's socket tables.
    Little,
    /// Up to tens of milliseconds on a machine with many thousand sockets.
    Full,
}

/// The stack of a poll, from the thread's innermost frame to the anchor.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stack {
    pub(crate) frames: Arc<[Frame]>,
    pub(crate) place: Option<Place>,
    pub(crate) confidence: Confidence,
}

/// The two facts that only the names of functions show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hints {
    /// A host name is being resolved. Only the C library's function shows it, because its
    /// sockets and files are like any other.
    pub(crate) in_name_lookup: bool,
    /// The code runs inside `tokio::task::block_in_place`.
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

    /// Returns whether inlined functions would show: the build has debug information and it was
    /// read.
    pub(crate) fn shows_inlined(&self) -> bool {
        self.confidence == Confidence::Exact
            && self
                .frames
                .iter()
                .any(|frame| frame.is_user && frame.line.is_some())
    }
}

closed_set! {
    /// The outcome of an attempt to read a stack. The names are the values of the label
    /// `result` of `captures_total`.
    pub(crate) enum CaptureOutcome {
        Exact = "exact",
        Approximate = "approximate",
        Incomplete = "incomplete",
        /// The thread moved while it was read.
        Moved = "moved",
        /// The thread was on another stack, or ran and could not be sampled, or could not be
        /// read.
        Unreadable = "unreadable",
        /// The limits on captures did not allow it.
        Limited = "limited",
        /// The capture panicked, which is a bug. Nothing else is affected.
        Panicked = "panicked",
    }
}

closed_set! {
    /// How threads are read. The names are the values of the label `capture` of `build_info`.
    pub(crate) enum CaptureMode {
        /// Stacks of blocked threads, and of running threads by perf samples.
        BlockedRunning = "blocked+running",
        /// Stacks of blocked threads, and of running threads by a signal that interrupts them.
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
