//! What comes in, and what fires. promtool evaluates groups in any order: what
//! a description says may not change from one minute to the next.

mod executor;
mod pool;
mod rest;

/// One alert that is expected.
pub struct Fires {
    pub severity: &'static str,
    /// Beside those of the target.
    pub labels: Vec<(&'static str, &'static str)>,
    /// The value as the description has it.
    pub value: &'static str,
}

pub struct Case {
    pub alert: &'static str,
    pub what: &'static str,
    /// Series, without the labels of the target, and promtool's shorthand for
    /// one value a minute.
    pub series: Vec<(&'static str, &'static str)>,
    pub at: &'static str,
    pub fires: Vec<Fires>,
}

type Labels = &'static [(&'static str, &'static str)];

fn case(
    alert: &'static str,
    what: &'static str,
    series: &[(&'static str, &'static str)],
    at: &'static str,
    fires: &[(&'static str, Labels, &'static str)],
) -> Case {
    Case {
        alert,
        what,
        series: series.to_vec(),
        at,
        fires: fires
            .iter()
            .map(|(severity, labels, value)| Fires {
                severity,
                labels: labels.to_vec(),
                value,
            })
            .collect(),
    }
}

pub fn all() -> Vec<Case> {
    [
        executor::executor(),
        pool::pool(),
        rest::stuck(),
        rest::objective(),
        rest::housekeeping(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const MAIN: Labels = &[("runtime", "main")];
