//! What a team may want to be different; the committed files have the defaults.

/// Options of the generator.
#[derive(Clone, Debug)]
pub struct Config {
    /// The builder's `namespace`.
    pub prefix: String,
    /// The share of polls that should be over within
    /// [`SLOW_POLL`](crate::thresholds::SLOW_POLL).
    pub objective: f64,
    /// Where RUNBOOK.md can be read.
    pub runbook: String,
    /// Windows are divided by this: a test does not last for days.
    pub hurry_windows: u64,
    /// The same for the `for` of alerts.
    pub hurry_for: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            prefix: "runtime_health".into(),
            objective: 0.999,
            runbook:
                "https://docs.rs/crate/tower-runtime-health/latest/source/dashboards/RUNBOOK.md"
                    .into(),
            hurry_windows: 1,
            hurry_for: 1,
        }
    }
}

impl Config {
    /// A `for` as it goes into the file.
    pub fn wait(&self, duration: &str) -> String {
        shorten(duration, self.hurry_for)
    }

    /// A window as it goes into an expression.
    pub fn window(&self, duration: &str) -> String {
        shorten(duration, self.hurry_windows)
    }

    /// Where an alert's section of the runbook is.
    pub fn runbook_url(&self, alert: &str) -> String {
        format!("{}#{}", self.runbook, alert.to_lowercase())
    }
}

/// Divides a duration such as `5m`. It stays as it is written if by 1.
fn shorten(duration: &str, by: u64) -> String {
    match seconds(duration) {
        Some(seconds) if by != 1 => format!("{}s", (seconds / by).max(1)),
        _ => duration.into(),
    }
}

/// Of a duration with one unit.
pub fn seconds(duration: &str) -> Option<u64> {
    let (number, unit) = duration.split_at(duration.len().checked_sub(1)?);
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    Some(number.parse::<u64>().ok()? * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hurried_duration_is_a_part_of_it() {
        assert_eq!(shorten("5m", 1), "5m");
        assert_eq!(shorten("5m", 10), "30s");
        assert_eq!(shorten("1d", 10), "8640s");
        assert_eq!(shorten("30s", 60), "1s");
    }
}
