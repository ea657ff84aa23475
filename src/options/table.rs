use std::time::Duration;

use super::Options;
use crate::error::{Error, Kind};

/// One option of the builder.
pub(super) struct Row {
    /// The builder's method.
    name: &'static str,
    range: Range,
    /// What it costs, or what it changes where it costs nothing.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for the documentation, which a test compares")
    )]
    cost: &'static str,
}

enum Range {
    /// A time from the one bound to the other.
    Time(fn(&Options) -> Duration, Duration, Duration),
    /// A time, 0 included.
    AnyTime(fn(&Options) -> Duration),
    /// A number from 1 to the bound.
    Count(fn(&Options) -> usize, usize),
    /// A number from 1, or `None`.
    CountOrNone(fn(&Options) -> Option<u32>),
    Namespace,
    /// Values whose type allows no wrong one, or that are checked where they are used: the
    /// default and the range in words.
    Words(&'static str, &'static str),
}

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const ON_OFF: Range = Range::Words("`false`", "`true` or `false`");

const fn row(name: &'static str, range: Range, cost: &'static str) -> Row {
    Row { name, range, cost }
}

/// In the order of the documentation.
pub(super) const TABLE: &[Row] = &[
    row(
        "threshold",
        Range::Time(|o| o.threshold, MILLISECOND, HOUR),
        "while requests are polled, the watchdog wakes twice in this time, at least every 10 ms",
    ),
    row(
        "serve_metrics",
        Range::Words("off", "an address"),
        "one thread, asleep between scrapes",
    ),
    row(
        "namespace",
        Range::Namespace,
        "none: the first part of every metric's name",
    ),
    row(
        "detail",
        Range::Words("`Full`", "`Full`, `Lean`, `Off`"),
        "the number of series exported",
    ),
    row(
        "family_detail",
        Range::Words("as `detail`", "`Full`, `Lean`, `Off`"),
        "the number of series exported",
    ),
    row(
        "max_routes",
        Range::Count(|o| o.max_routes, 65536),
        "about 0.7 KiB per route, method and thread in use",
    ),
    row(
        "max_findings",
        Range::Count(|o| o.max_findings, 65536),
        "about 0.3 KiB each",
    ),
    row(
        "log_interval",
        Range::AnyTime(|o| o.log_interval),
        "one log event per finding in this time; 0 logs every blocking poll",
    ),
    row(
        "captures_per_second",
        Range::CountOrNone(|o| o.captures_per_second),
        "0.03 to 0.2 ms of the watchdog's thread each, up to 2 ms for a running thread; with `None` no finding has a place",
    ),
    row(
        "capture_interval",
        Range::AnyTime(|o| o.capture_interval),
        "one stack per route and kind of wait in this time; 0 reads that of every blocking poll",
    ),
    row(
        "interrupt_running_threads",
        ON_OFF,
        "Linux: may disturb the service, see its documentation",
    ),
    row(
        "sample_under_seccomp",
        ON_OFF,
        "Linux: none where the filter allows or refuses the call; a filter that kills ends the process",
    ),
    row(
        "schedule_delay_sampling",
        Range::CountOrNone(|o| o.schedule_delay_sampling),
        "two allocations per request measured, about 40 ns, and 20 ns per wake",
    ),
    row(
        "observe_runtime",
        Range::Words("the current one, as `main`", "unique names"),
        "one probe task per runtime and `scheduler_lag_interval`",
    ),
    row(
        "without_runtime",
        Range::Words("off", "called or not"),
        "none: starts without a runtime, for `configure_runtime`",
    ),
    row(
        "scheduler_lag_interval",
        Range::Time(
            |o| o.scheduler_lag_interval,
            Duration::from_millis(10),
            HOUR,
        ),
        "an empty task each time, while there are requests",
    ),
    row(
        "max_blocking_threads",
        Range::Count(|o| o.max_blocking_threads, usize::MAX),
        "none: tells the limit of tokio's pool; `configure_runtime` sets it",
    ),
    row(
        "blocking_probe_interval",
        Range::Time(
            |o| o.blocking_probe_interval,
            Duration::from_millis(100),
            HOUR,
        ),
        "an empty pool task each time, while the pool looks full or nothing is known of it",
    ),
    row(
        "pool_saturated_after",
        Range::Time(|o| o.pool_saturated_after, Duration::from_millis(10), HOUR),
        "none",
    ),
    row(
        "pool_stuck_after",
        Range::Time(|o| o.pool_stuck_after, Duration::from_millis(100), HOUR),
        "none",
    ),
    row(
        "long_blocking_task",
        Range::Time(
            |o| o.long_blocking_task,
            Duration::from_millis(100),
            Duration::from_secs(24 * 3600),
        ),
        "none",
    ),
];

impl Options {
    /// Checks the range of every option, in the order of the table.
    ///
    /// # Errors
    ///
    /// If a value is outside its range: the error names option, value and range.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        match TABLE.iter().find(|row| !row.range.contains(self)) {
            None => Ok(()),
            Some(row) => Err(Kind::Option {
                name: row.name,
                value: row.range.value(self),
                allowed: row.range.allowed(),
            }
            .into()),
        }
    }
}

impl Range {
    fn contains(&self, options: &Options) -> bool {
        match self {
            Self::Time(value, min, max) => (min..=max).contains(&&value(options)),
            Self::Count(value, max) => (1..=*max).contains(&value(options)),
            Self::CountOrNone(value) => value(options) != Some(0),
            Self::Namespace => is_namespace(&options.namespace),
            Self::AnyTime(_) | Self::Words(..) => true,
        }
    }

    fn value(&self, options: &Options) -> String {
        match self {
            Self::Time(value, ..) | Self::AnyTime(value) => time(value(options)),
            Self::Count(value, _) => value(options).to_string(),
            Self::CountOrNone(value) => match value(options) {
                Some(count) => count.to_string(),
                None => "`None`".to_owned(),
            },
            Self::Namespace => format!("{:?}", options.namespace),
            Self::Words(default, _) => (*default).to_owned(),
        }
    }

    fn allowed(&self) -> String {
        match self {
            Self::Time(_, min, max) => format!("{} to {}", time(*min), time(*max)),
            Self::AnyTime(_) => "from 0".to_owned(),
            Self::Count(_, usize::MAX) => "from 1".to_owned(),
            Self::Count(_, max) => format!("1 to {max}"),
            Self::CountOrNone(_) => "from 1, or `None` for off".to_owned(),
            Self::Namespace => {
                "letters, digits and underscores, at least one, not a digit first".to_owned()
            }
            Self::Words(_, range) => (*range).to_owned(),
        }
    }
}

/// In the largest unit that needs no fraction.
fn time(time: Duration) -> String {
    let whole = |unit: Duration| time >= unit && time.as_nanos().is_multiple_of(unit.as_nanos());
    if whole(HOUR) {
        format!("{} h", time.as_secs() / 3600)
    } else if whole(SECOND) {
        format!("{} s", time.as_secs())
    } else if whole(MILLISECOND) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{time:?}")
    }
}

/// A legal start of a metric's name (Prometheus' data model, without colons,
/// which belong to recording rules).
fn is_namespace(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILDER: &str = include_str!("../handle/builder.rs");
    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/options.md");

    /// The documentation of a setter, as one line.
    fn documentation(name: &str) -> String {
        let (before, _) = BUILDER
            .split_once(&format!("\n    pub fn {name}("))
            .unwrap_or_else(|| panic!("the builder has no `{name}`"));
        let lines: Vec<_> = before
            .lines()
            .rev()
            .take_while(|line| !line.trim().is_empty() && !line.starts_with("    }"))
            .filter_map(|line| line.trim().strip_prefix("///"))
            .collect();
        let lines: Vec<_> = lines.into_iter().rev().map(str::trim).collect();
        lines.join(" ")
    }

    #[test]
    fn the_page_of_options_is_the_table() {
        let defaults = Options::default();
        let mut table =
            String::from("| option | default | range | what it costs |\n|---|---|---|---|\n");
        for Row { name, range, cost } in TABLE {
            let (default, allowed) = (range.value(&defaults), range.allowed());
            table += &format!("| `{name}` | {default} | {allowed} | {cost} |\n");
        }
        let page = std::fs::read_to_string(PAGE).unwrap();
        let (_, rest) = page.split_once("<!-- options table -->\n").unwrap();
        let (shown, _) = rest.split_once("<!-- end -->").unwrap();
        assert_eq!(shown, table, "docs/options.md should have:\n{table}");
    }

    #[test]
    fn every_setter_states_its_default_and_range() {
        let defaults = Options::default();
        for Row { name, range, .. } in TABLE {
            if matches!(range, Range::Words(..)) {
                continue;
            }
            let sentence = format!(
                "Default: {}. Range: {}.",
                range.value(&defaults),
                range.allowed()
            );
            let documentation = documentation(name);
            assert!(
                documentation.contains(&sentence),
                "`{name}` should say: {sentence}\n{documentation}"
            );
        }
    }

    #[test]
    fn every_setter_has_a_row() {
        let setters = BUILDER
            .lines()
            .filter_map(|line| line.trim().strip_prefix("pub fn "));
        let setters: Vec<_> = setters
            .filter(|line| line.contains("mut self") || line.ends_with('('))
            .filter_map(|line| line.split(['(', '<']).next())
            .collect();
        let rows: Vec<_> = TABLE.iter().map(|row| row.name).collect();
        for setter in &setters {
            assert!(rows.contains(setter), "`{setter}` has no row");
        }
        assert_eq!(setters.len(), rows.len(), "{setters:?}");
    }

    #[test]
    fn values_outside_of_a_range_are_refused_with_option_value_and_range() {
        type Change = fn(&mut Options);
        let cases: &[(Change, &str)] = &[
            (
                |o| o.threshold = Duration::from_micros(999),
                "option `threshold` is 999µs; allowed: 1 ms to 1 h",
            ),
            (
                |o| o.threshold = HOUR + MILLISECOND,
                "option `threshold` is 3600001 ms; allowed: 1 ms to 1 h",
            ),
            (
                |o| o.namespace = "1st".to_owned(),
                "option `namespace` is \"1st\"; allowed: letters, digits and underscores, at least one, not a digit first",
            ),
            (
                |o| o.max_routes = 65537,
                "option `max_routes` is 65537; allowed: 1 to 65536",
            ),
            (
                |o| o.captures_per_second = Some(0),
                "option `captures_per_second` is 0; allowed: from 1, or `None` for off",
            ),
            (
                |o| o.schedule_delay_sampling = Some(0),
                "option `schedule_delay_sampling` is 0; allowed: from 1, or `None` for off",
            ),
            (
                |o| o.max_blocking_threads = 0,
                "option `max_blocking_threads` is 0; allowed: from 1",
            ),
        ];
        for (change, expected) in cases {
            let mut options = Options::default();
            change(&mut options);
            assert_eq!(options.validate().unwrap_err().to_string(), *expected);
        }
    }

    #[test]
    fn bounds_themselves_and_none_are_allowed() {
        let options = Options {
            threshold: HOUR,
            max_routes: 65536,
            max_findings: 1,
            log_interval: Duration::ZERO,
            captures_per_second: None,
            schedule_delay_sampling: None,
            ..Options::default()
        };
        assert!(options.validate().is_ok());
        assert!(Options::default().validate().is_ok());
    }
}
