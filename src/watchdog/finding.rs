use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::slot::Phase;

/// Why a poll was long. A closed set: the values of the label `cause`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// Ended before it was looked at, or there is no evidence on this platform.
    Unknown,
}

impl Cause {
    /// The word used in labels, log events and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known of one kind of blocking: all blocking polls with the same
/// route, method and cause.
///
/// Its `Display` is one line for people.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// The route's template, as in the label `route`.
    pub route: Arc<str>,
    /// The method, as in the label `method`.
    pub method: &'static str,
    /// Why the polls were long.
    pub cause: Cause,
    /// Where the poll seen last was.
    pub phase: Phase,
    /// Name of the thread the poll seen last was on; empty if it has none.
    pub thread: Arc<str>,
    /// Blocking polls seen, those still running included.
    pub polls: u64,
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
            "{method} {route} blocks the executor (cause {cause}, phase {phase}): {polls} blocking \
             polls, {running} still running, longest {:.1} ms, {:.1} ms in all",
            self.longest.as_secs_f64() * 1e3,
            self.total.as_secs_f64() * 1e3,
        )
    }
}

/// Durations in seconds and times in RFC 3339, as everywhere in the exporter.
#[cfg(feature = "serde")]
impl serde::Serialize for Finding {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut out = serializer.serialize_struct("Finding", 11)?;
        out.serialize_field("route", &*self.route)?;
        out.serialize_field("method", self.method)?;
        out.serialize_field("cause", self.cause.as_str())?;
        out.serialize_field("phase", self.phase.as_str())?;
        out.serialize_field("thread", &*self.thread)?;
        out.serialize_field("polls", &self.polls)?;
        out.serialize_field("running", &self.running)?;
        out.serialize_field("total_seconds", &self.total.as_secs_f64())?;
        out.serialize_field("longest_seconds", &self.longest.as_secs_f64())?;
        out.serialize_field("first_seen", &rfc3339(self.first_seen))?;
        out.serialize_field("last_seen", &rfc3339(self.last_seen))?;
        out.end()
    }
}

#[cfg(feature = "serde")]
pub(crate) fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}
