use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::advice::advice;
use super::format::Chain;
#[cfg(feature = "serde")]
use super::format::rfc3339;
use crate::capture::{Confidence, Frame, Place};
use crate::model::{Cause, Phase};

/// What is known about one kind of blocking: all blocking polls with the same route, method,
/// cause and place.
///
/// A poll belongs to one finding. If it showed several causes or places, it belongs to the
/// one that was observed most often. If its stack was not read (captures are limited, see
/// [`Builder::captures_per_second`](crate::Builder::captures_per_second)), it is counted
/// with the most recently seen finding of the same route, method, phase and cause.
/// [`captured`](Self::captured) says how many polls have a stack of their own.
///
/// `Display` writes a summary for people: several lines, without a newline at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The route's template, as in the label `route`.
    pub route: Arc<str>,
    /// The method, as in the label `method`.
    pub method: &'static str,
    /// Why the polls were long.
    pub cause: Cause,
    /// The line of the service's own code that blocked. `None` without a proven stack, and if
    /// no frame of the stack is the service's own.
    pub place: Option<Place>,
    /// The system call that the thread was last seen blocked in, with what its descriptor
    /// refers to: `recvfrom(fd 14, TCP socket to 127.0.0.1:9001)`.
    pub call: Option<Arc<str>>,
    /// The phase of the request that the most recently seen poll was in.
    pub phase: Phase,
    /// The name of the thread that ran the most recently seen poll; empty if it has none.
    pub thread: Arc<str>,
    /// How many blocking polls were seen, including those still running.
    pub polls: u64,
    /// How many of them have a stack of their own.
    pub captured: u64,
    /// How many of them were still running in the watchdog's last round.
    pub running: u64,
    /// The total time of all of them. Those still running count up to the watchdog's last
    /// round.
    pub total: Duration,
    /// How long the longest of them lasted.
    pub longest: Duration,
    /// When the first of them was seen.
    pub first_seen: SystemTime,
    /// When one of them was last seen, running or ended.
    pub last_seen: SystemTime,
    /// How the thread of the most recently seen poll spent its time.
    pub times: Option<ThreadTimes>,
    /// How much later than planned the watchdog last examined one of them.
    pub lateness: Duration,
    /// How certain `stack` is. `None` without a stack.
    pub confidence: Option<Confidence>,
    /// One example stack, innermost frame first, with inlined functions expanded.
    pub stack: Arc<[Frame]>,
    /// Other causes and places that the same polls showed, without duplicates.
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

/// How a thread spent the observed part of a poll: from the first round of the watchdog that
/// found the poll no longer short, to the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ThreadTimes {
    /// Time on a CPU. Exact, from the thread's CPU clock.
    pub on_cpu: Duration,
    /// Time runnable but waiting for a CPU. From the kernel's scheduler statistics, which
    /// credit a wait when it ends.
    pub waiting: Duration,
    /// The remaining time: blocked, or in a wait for a CPU that has not ended.
    pub blocked: Duration,
}

impl Finding {
    /// Returns what to do about it, as one sentence.
    pub fn advice(&self) -> &'static str {
        advice(self.cause)
    }

    /// Whether both findings describe the same kind of blocking.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (&self.route, self.method, self.cause, &self.place)
            == (&other.route, other.method, other.cause, &other.place)
    }

    /// Returns whether the handler's own code is to blame.
    ///
    /// It is not for [`Cause::Preempted`] (the machine lacks CPU), [`Cause::BlockInPlace`] (no
    /// other task waits) and [`Cause::Unknown`].
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

/// Durations are in seconds and times in RFC 3339, as in all JSON of the exporter.
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
