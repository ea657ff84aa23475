//! The options of the generator. The committed files are generated with the defaults.

/// Options of the generator.
#[derive(Clone, Debug)]
pub struct Config {
    /// The builder's `namespace`.
    pub prefix: String,
    /// The share of polls that should finish within
    /// [`SLOW_POLL`](crate::thresholds::SLOW_POLL).
    pub objective: f64,
    /// The URL of RUNBOOK.md.
    pub runbook: String,
    /// Divides every window, so that a test run does not take days.
    pub window_divisor: u64,
    /// Divides the `for` duration of every alert.
    pub for_divisor: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            prefix: "runtime_health".into(),
            objective: 0.999,
            runbook:
                "https://docs.rs/crate/tower-runtime-health/latest/source/dashboards/RUNBOOK.md"
                    .into(),
            window_divisor: 1,
            for_divisor: 1,
        }
    }
}

impl Config {
    /// Returns the `for` duration as written to the file.
    pub fn wait(&self, duration: &str) -> String {
        divide(duration, self.for_divisor)
    }

    /// Returns a window as written to an expression.
    pub fn window(&self, duration: &str) -> String {
        divide(duration, self.window_divisor)
    }

    /// Returns the URL of an alert's section in the runbook.
    pub fn runbook_url(&self, alert: &str) -> String {
        format!("{}#{}", self.runbook, alert.to_lowercase())
    }
}

/// Divides a duration such as `5m`. A divisor of 1 keeps the notation.
fn divide(duration: &str, by: u64) -> String {
    match seconds(duration) {
        Some(seconds) if by != 1 => format!("{}s", (seconds / by).max(1)),
        _ => duration.into(),
    }
}

/// Returns the seconds of a duration with one unit, such as `5m`.
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
    fn durations_are_divided() {
        assert_eq!(divide("5m", 1), "5m");
        assert_eq!(divide("5m", 10), "30s");
        assert_eq!(divide("1d", 10), "8640s");
        assert_eq!(divide("30s", 60), "1s");
    }
}
