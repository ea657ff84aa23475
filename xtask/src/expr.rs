//! Expressions are written short, and expanded here:
//!
//! | written | becomes |
//! |---|---|
//! | `<workers>`, `<poll_duration_seconds_bucket>` | the metric's full name; it has to be in the crate's table |
//! | `<instance:workers:sum>` | the recorded series' full name; it has to be in [`signals`] |
//! | `@instance`, `@job` | the labels that name an instance, a job |
//! | `{@`, `{*` | the selection by a dashboard's variables; the same without those of an instance |
//! | `[5m]` | the window, shorter in a hurry |
//!
//! A name that does not exist is a panic: there is nothing to write then.

use tower_runtime_health::names::{Kind, METRICS, Metric};

use crate::config::Config;
use crate::signals;

/// What names a job. Targets without the first two have them empty.
pub const JOB: &str = "cluster, namespace, job";
pub const INSTANCE: &str = "cluster, namespace, job, instance";

/// What a dashboard's variables select.
const SELECTION: &str =
    r#"cluster=~"$cluster", namespace=~"$namespace", job=~"$job", instance=~"$instance""#;
/// Alerts on a job or a route have no instance, and are of it all the same.
const SELECTION_OR_JOB: &str =
    r#"cluster=~"$cluster", namespace=~"$namespace", job=~"$job", instance=~"$instance|""#;

/// The metric of a name without the namespace, or of one of its series.
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

/// The full name of a series, `level:metric:operation` for recorded ones.
pub fn full_name(config: &Config, name: &str) -> String {
    if let Some((level, rest)) = name.split_once(':') {
        assert!(signals::recorded(name), "no rule records <{name}>");
        return format!("{level}:{}_{rest}", config.prefix);
    }
    assert!(metric(name).is_some(), "<{name}> is not in the table");
    format!("{}_{name}", config.prefix)
}

/// See the module.
pub fn expand(config: &Config, written: &str) -> String {
    let text = written
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

/// Replaces what stands between two characters, and them, if it looks right.
fn between(
    text: &str,
    open: char,
    close: char,
    right: fn(&str) -> bool,
    replace: impl Fn(&str) -> String,
) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(from) = rest.find(open) {
        let inner = &rest[from + 1..];
        match inner.find(close) {
            Some(to) if right(&inner[..to]) => {
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
            hurry_windows: 10,
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
    fn a_misspelt_metric_is_an_error() {
        expand(&Config::default(), "<request_total>");
    }

    #[test]
    #[should_panic(expected = "<poll_duration_seconds> is not in the table")]
    fn a_histogram_has_no_series_of_its_own_name() {
        expand(&Config::default(), "<poll_duration_seconds>");
    }

    #[test]
    #[should_panic(expected = "no rule records <instance:wrokers:sum>")]
    fn a_misspelt_record_is_an_error() {
        expand(&Config::default(), "<instance:wrokers:sum>");
    }
}
