use std::fmt;
use std::time::Duration;

use crate::capture::Frame;

/// Returns whole milliseconds, for a field of a log event.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Formats a time in RFC 3339 with milliseconds, as in all JSON of the exporter.
#[cfg(feature = "serde")]
pub(crate) fn rfc3339(time: std::time::SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// Writes the user's own functions, innermost first: the chain of awaits. If the stack has
/// none, writes its innermost functions.
pub(super) struct Chain<'f>(pub(super) &'f [Frame]);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 8;
        let has_user = self.0.iter().any(|frame| frame.is_user);
        let shown = self.0.iter().filter(|frame| frame.is_user == has_user);
        let mut shown: Vec<String> = shown.map(ToString::to_string).collect();
        // A closure has the name of the function that contains it.
        shown.dedup();
        shown.truncate(MOST);
        f.write_str(&shown.join(" < "))
    }
}
