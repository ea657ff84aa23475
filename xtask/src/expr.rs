//! Expands the shorthand in which expressions are written:
//!
//! | shorthand | expansion |
//! |---|---|
//! | `<workers>`, `<poll_duration_seconds_bucket>` | the metric's full name; it must be in the crate's table |
//! | `<instance:workers:sum>` | the recorded series' full name; it must be in [`signals`] |
//! | `@instance`, `@job` | the labels that identify an instance, a job |
//! | `{@` | matchers for the dashboard's variables |
//! | `{*` | the same, but series without an instance match too |
//! | `[5m]` | the window, divided by [`Config::window_divisor`] |
//!
//! A name that does not exist is a mistake in this program, so expansion panics.

use tower_runtime_health::names::{Kind, METRICS, Metric};

use crate::config::Config;
use crate::signals;

/// The labels that identify a job. The first two are empty unless the target has them.
pub const JOB: &str = "cluster, namespace, job";
pub const INSTANCE: &str = "cluster, namespace, job, instance";

/// Matchers for a dashboard's variables.
const SELECTION: &str =
    r#"cluster=~"$cluster", namespace=~"$namespace", job=~"$job", instance=~"$instance""#;
/// Alerts on a job or a route have no instance label and must match too.
const SELECTION_OR_JOB: &str =
    r#"cluster=~"$cluster", namespace=~"$namespace", job=~"$job", instance=~"$instance|""#;

/// Returns the metric with this name (without the namespace), or the histogram
/// that a series such as `…_bucket` belongs to.
pub fn metric(series: &str) -> Option<&'static Metric> {
    let by_name = |name: &str| METRICS.iter().find(|metric| metric.name == name);
    by_name(series)
        .filter(|m| m.kind != Kind::Histogram)
        .or_else(|| {
            let name = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| series.strip_suffix(suffix))?;
            by_name(name).filter(|m| m.kind == Kind::Histogram)
        })
}

/// Returns the full name of a series; `level:metric:operation` for a recorded one.
pub fn full_name(config: &Config, name: &str) -> String {
    if let Some((level, rest)) = name.split_once(':') {
        assert!(signals::recorded(name), "no rule records <{name}>");
        return format!("{level}:{}_{rest}", config.prefix);
    }
    assert!(metric(name).is_some(), "<{name}> is not in the table");
    format!("{}_{name}", config.prefix)
}

/// Expands an expression; see the module's documentation.
pub fn expand(config: &Config, shorthand: &str) -> String {
    let text = shorthand
        .replace("@instance", INSTANCE)
        .replace("@job", JOB)
        .replace("{@", &format!("{{{SELECTION}"))
        .replace("{*", &format!("{{{SELECTION_OR_JOB}"));
    let names = between(&text, '<', '>', is_name, |name| full_name(config, name));
    between(&names, '[', ']', is_window, |window| {
        format!("[{}]", config.window(window))
    })
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == ':')
}

fn is_window(text: &str) -> bool {
    crate::config::seconds(text).is_some()
}

/// Replaces each text between two delimiters that `accept` accepts, including
/// the delimiters.
fn between(
    text: &str,
    open: char,
    close: char,
    accept: fn(&str) -> bool,
    replace: impl Fn(&str) -> String,
) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(from) = rest.find(open) {
        let inner = &rest[from + 1..];
        match inner.find(close) {
            Some(to) if accept(&inner[..to]) => {
                out += &rest[..from];
                out += &replace(&inner[..to]);
                rest = &inner[to + 1..];
            }
            _ => {
                out += &rest[..=from];
                rest = inner;
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_labels_and_windows_are_expanded() {
        let config = Config {
            window_divisor: 10,
            ..Config::default()
        };
        assert_eq!(
            expand(
                &config,
                "sum by (@job) (rate(<requests_total>{a=\"b\"}[5m])) < 3 > <instance:workers:sum>"
            ),
            "sum by (cluster, namespace, job) (rate(runtime_health_requests_total{a=\"b\"}[30s])) \
             < 3 > instance:runtime_health_workers:sum"
        );
    }

    #[test]
    #[should_panic(expected = "<request_total> is not in the table")]
    fn a_misspelt_metric_panics() {
        expand(&Config::default(), "<request_total>");
    }

    #[test]
    #[should_panic(expected = "<poll_duration_seconds> is not in the table")]
    fn the_bare_name_of_a_histogram_panics() {
        expand(&Config::default(), "<poll_duration_seconds>");
    }

    #[test]
    #[should_panic(expected = "no rule records <instance:wrokers:sum>")]
    fn a_misspelt_recorded_series_panics() {
        expand(&Config::default(), "<instance:wrokers:sum>");
    }
}
