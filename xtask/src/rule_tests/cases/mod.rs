//! The cases: input series and expected alerts. promtool evaluates the groups in
//! any order, so a value that a description quotes has to be constant over time.

mod executor;
mod pool;
mod rest;

/// An expected alert.
pub struct Fires {
    pub severity: &'static str,
    /// Labels in addition to those of the target and the severity.
    pub labels: Vec<(&'static str, &'static str)>,
    /// The value as the description formats it.
    pub value: &'static str,
}

pub struct Case {
    pub alert: &'static str,
    pub what: &'static str,
    /// Series without the labels of the target, and their values in promtool's
    /// notation, one a minute.
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
