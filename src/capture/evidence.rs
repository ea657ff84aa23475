use std::sync::Arc;

use super::{Confidence, Frame, Place};

/// What another thread is doing, by the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
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
    pub(crate) cpu: u64,
    /// Nanoseconds ready and without a processor, credited when the wait ends.
    pub(crate) wait: u64,
}

/// What kind of thing a thread is blocked on, before its stack is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum CallKind {
    Sleep,
    File,
    Network,
    Lock,
    ChildProcess,
    Memory,
    Other,
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

/// How an attempt to read a stack ended: the label `result` of
/// `captures_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Result {
    Exact,
    Approximate,
    Incomplete,
    /// The thread moved on while it was read.
    Moved,
    /// It stood on another stack, ran without a sample to be had, or could not
    /// be read.
    Unreadable,
    /// There had been too many.
    Limited,
    /// A bug in the capture. Nothing else is affected.
    Panicked,
}

impl Result {
    pub(crate) const ALL: [(Self, &'static str); 7] = [
        (Self::Exact, "exact"),
        (Self::Approximate, "approximate"),
        (Self::Incomplete, "incomplete"),
        (Self::Moved, "moved"),
        (Self::Unreadable, "unreadable"),
        (Self::Limited, "limited"),
        (Self::Panicked, "panicked"),
    ];
}

impl From<Confidence> for Result {
    fn from(confidence: Confidence) -> Self {
        match confidence {
            Confidence::Exact => Self::Exact,
            Confidence::Approximate => Self::Approximate,
            Confidence::Incomplete => Self::Incomplete,
        }
    }
}
