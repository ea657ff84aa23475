use std::time::Duration;

/// Whole milliseconds, for a field of a log event.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A time in RFC 3339 with milliseconds, as in all JSON of the exporter.
#[cfg(feature = "serde")]
pub(crate) fn rfc3339(time: std::time::SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}
