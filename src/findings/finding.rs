use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::advice::advice;
use super::format::Chain;
#[cfg(feature = "serde")]
use super::format::rfc3339;
use crate::capture::{Confidence, Frame, Place};
use crate::model::{Cause, Phase};

/// What is known of one kind of blocking: all blocking polls with the same
/// route, method, cause and place.
///
/// A poll belongs to one finding: that of what it was seen at most often. One
/// whose stack was not taken (captures are limited, see
/// [`Builder::captures_per_second`](crate::Builder::captures_per_second)) is
/// counted with the finding of the same route, method, phase and cause that was
/// seen last; [`captured`](Self::captured) says how many have a stack of their
/// own.
///
/// Its `Display` is what a person needs: several lines, without a newline at
/// the end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The route's template, as in the label `route`.
    pub route: Arc<str>,
    /// The method, as in the label `method`.
    pub method: &'static str,
    /// Why the polls were long.
    pub cause: Cause,
    /// The line of the service's own code that it happened in. `None` without
    /// a proven stack, and where no frame of it is the service's own.
    pub place: Option<Place>,
    /// The system call it was blocked in, with what its descriptor is:
    /// `recvfrom(fd 14, TCP socket to 127.0.0.1:9001)`. As last seen.
    pub call: Option<Arc<str>>,
    /// Where the poll seen last was.
    pub phase: Phase,
    /// Name of the thread the poll seen last was on; empty if it has none.
    pub thread: Arc<str>,
    /// Blocking polls seen, those still running included.
    pub polls: u64,
    /// How many of them have a stack of their own.
    pub captured: u64,
    /// How many of them are still running, as the watchdog last saw it.
    pub running: u64,
    /// Time in all of them; of those still running, up to the watchdog's last look.
    pub total: Duration,
    /// The longest of them.
    pub longest: Duration,
    /// When the first of them was seen.
    pub first_seen: SystemTime,
    /// When one of them was last seen, running or ended.
    pub last_seen: SystemTime,
    /// What the thread of the poll seen last did with its time.
    pub times: Option<ThreadTimes>,
    /// How much later than it wanted the watchdog last looked at one of them.
    pub lateness: Duration,
    /// How sure `stack` is. `None` without one.
    pub confidence: Option<Confidence>,
    /// One example, innermost frame first, inlined functions expanded.
    pub stack: Arc<[Frame]>,
    /// Other causes and places that the same polls showed, each once.
    pub also: Vec<AlsoSeen>,
}

/// Another cause and place that a poll of a [`Finding`] showed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct AlsoSeen {
    /// Why the poll was long at that moment.
    pub cause: Cause,
    /// The line of the service's own code at that moment, if known.
    pub place: Option<Place>,
}

impl fmt::Display for AlsoSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cause)?;
        match &self.place {
            Some(place) => write!(f, " at {place}"),
            None => Ok(()),
        }
    }
}

/// How a thread spent the part of a poll that was watched: from the first tick
/// that found the poll no longer short to the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ThreadTimes {
    /// Running. From the thread's CPU clock; exact.
    pub on_cpu: Duration,
    /// Ready to run, waiting for a processor. From the kernel's scheduler
    /// statistics, which credit a wait when it ends.
    pub waiting: Duration,
    /// The rest: blocked, and a wait for a processor that has not ended.
    pub blocked: Duration,
}

impl Finding {
    /// What to do about it, as one sentence.
    pub fn advice(&self) -> &'static str {
        advice(self.cause)
    }

    /// Whether both are of one kind.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (&self.route, self.method, self.cause, &self.place)
            == (&other.route, other.method, other.cause, &other.place)
    }

    /// Whether the handler's own code is to blame: not for
    /// [`Cause::Preempted`], where the machine is, nor for
    /// [`Cause::BlockInPlace`], where nobody waits, nor for [`Cause::Unknown`].
    pub fn blames_handler(&self) -> bool {
        self.cause.blames_handler()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            route,
            method,
            cause,
            phase,
            polls,
            running,
            ..
        } = self;
        write!(
            f,
            "{method} {route} {} (cause {cause}, phase {phase}): {polls} blocking polls, \
             {running} still running, longest {:.1} ms, {:.1} ms in all",
            match cause {
                Cause::Preempted => "was delayed by CPU contention",
                Cause::BlockInPlace => "blocks in place and delays no other task",
                Cause::Unknown => "had long polls",
                _ => "blocks the executor",
            },
            self.longest.as_secs_f64() * 1e3,
            self.total.as_secs_f64() * 1e3,
        )?;
        if let Some(place) = &self.place {
            write!(f, "\n  at   {place}")?;
        }
        if let Some(call) = &self.call {
            write!(f, "\n  on   {call}")?;
        }
        let chain = Chain(&self.stack).to_string();
        if self.stack.iter().any(|frame| frame.is_user) && chain.contains(" < ") {
            write!(f, "\n  via  {chain}")?;
        }
        for also in &self.also {
            write!(f, "\n  also {also}")?;
        }
        write!(f, "\n  fix  {}", self.advice())
    }
}

/// Durations in seconds and times in RFC 3339, as everywhere in the exporter.
#[cfg(feature = "serde")]
impl serde::Serialize for Finding {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut out = serializer.serialize_struct("Finding", 20)?;
        out.serialize_field("route", &*self.route)?;
        out.serialize_field("method", self.method)?;
        out.serialize_field("cause", self.cause.as_str())?;
        out.serialize_field("place", &self.place)?;
        out.serialize_field("call", &self.call.as_deref())?;
        out.serialize_field("advice", self.advice())?;
        out.serialize_field("phase", self.phase.as_str())?;
        out.serialize_field("thread", &*self.thread)?;
        out.serialize_field("polls", &self.polls)?;
        out.serialize_field("captured", &self.captured)?;
        out.serialize_field("running", &self.running)?;
        out.serialize_field("total_seconds", &self.total.as_secs_f64())?;
        out.serialize_field("longest_seconds", &self.longest.as_secs_f64())?;
        out.serialize_field("first_seen", &rfc3339(self.first_seen))?;
        out.serialize_field("last_seen", &rfc3339(self.last_seen))?;
        out.serialize_field("times", &self.times)?;
        out.serialize_field("lateness_seconds", &self.lateness.as_secs_f64())?;
        out.serialize_field("confidence", &self.confidence)?;
        out.serialize_field("stack", &*self.stack)?;
        out.serialize_field("also", &self.also)?;
        out.end()
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for ThreadTimes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut out = serializer.serialize_struct("ThreadTimes", 3)?;
        out.serialize_field("on_cpu_seconds", &self.on_cpu.as_secs_f64())?;
        out.serialize_field("waiting_seconds", &self.waiting.as_secs_f64())?;
        out.serialize_field("blocked_seconds", &self.blocked.as_secs_f64())?;
        out.end()
    }
}
