//! The metrics page, parsed, and the requests it counts.

use std::net::SocketAddr;

use super::{DEADLINE, Server, get, wait_for};

/// Scrapes the metrics page of an exporter.
pub(crate) fn scrape(exporter: SocketAddr) -> Metrics {
    let reply = get(exporter, "/metrics");
    assert_eq!(reply.status, 200, "{}", reply.head);
    Metrics::parse(&reply.body)
}

/// The samples of a metrics page.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    samples: Vec<Sample>,
}

/// One line of a metrics page.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// With the namespace, and with the suffix of a histogram's part.
    pub(crate) name: String,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: f64,
}

impl Sample {
    fn label(&self, name: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(label, _)| label == name);
        found.map(|(_, value)| value.as_str())
    }

    fn has(&self, labels: &[(&str, &str)]) -> bool {
        labels
            .iter()
            .all(|(name, value)| self.label(name) == Some(value))
    }
}

impl Metrics {
    pub(crate) fn parse(page: &str) -> Self {
        let lines = page.lines();
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let samples = lines.map(|line| {
            parse_sample(line).unwrap_or_else(|| panic!("not a line of a metrics page: {line:?}"))
        });
        Self {
            samples: samples.collect(),
        }
    }

    /// Returns all samples of this name that have at least these labels.
    pub(crate) fn with<'m>(
        &'m self,
        name: &'m str,
        labels: &'m [(&str, &str)],
    ) -> impl Iterator<Item = &'m Sample> {
        let samples = self.samples.iter();
        samples.filter(move |sample| sample.name == name && sample.has(labels))
    }

    /// Returns the value of the sample with exactly these labels, in any order.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.with(name, labels)
            .find(|sample| sample.labels.len() == labels.len())
            .map(|sample| sample.value)
    }

    /// Returns the sum of all samples that have at least these labels: 0 if there is none.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.with(name, labels).map(|sample| sample.value).sum()
    }

    /// Returns the distinct values of one label of a metric, sorted.
    pub(crate) fn label_values(&self, name: &str, label: &str) -> Vec<String> {
        let values = self
            .with(name, &[])
            .filter_map(|sample| sample.label(label));
        let mut values: Vec<_> = values.map(str::to_owned).collect();
        values.sort();
        values.dedup();
        values
    }
}

/// `name 1` or `name{label="value",…} 1`, with `\\`, `\"` and `\n` in values.
fn parse_sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(list) = rest.strip_prefix('{') {
        rest = list;
        while !rest.starts_with('}') {
            let (label, after) = rest.trim_start_matches(',').split_once("=\"")?;
            let (mut value, mut chars) = (String::new(), after.chars());
            loop {
                match chars.next()? {
                    '"' => break,
                    '\\' => value.push(match chars.next()? {
                        'n' => '\n',
                        other => other,
                    }),
                    other => value.push(other),
                }
            }
            labels.push((label.to_owned(), value));
            rest = chars.as_str();
        }
        rest = &rest[1..];
    }
    Some(Sample {
        name: name.to_owned(),
        labels,
        value: rest.trim().parse().ok()?,
    })
}

/// Ended requests of a layered server by outcome, over all routes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Outcomes {
    pub(crate) completed: u64,
    pub(crate) error: u64,
    pub(crate) cancelled: u64,
}

impl Outcomes {
    pub(crate) const fn completed(requests: u64) -> Self {
        Self {
            completed: requests,
            error: 0,
            cancelled: 0,
        }
    }

    pub(crate) const fn error(requests: u64) -> Self {
        Self {
            completed: 0,
            error: requests,
            cancelled: 0,
        }
    }

    pub(crate) const fn cancelled(requests: u64) -> Self {
        Self {
            completed: 0,
            error: 0,
            cancelled: requests,
        }
    }

    pub(crate) fn of(metrics: &Metrics) -> Self {
        let ended = |outcome| {
            let labels = [("outcome", outcome)];
            metrics.sum("runtime_health_requests_total", &labels) as u64
        };
        Self {
            completed: ended("completed"),
            error: ended("error"),
            cancelled: ended("cancelled"),
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.completed + self.error + self.cancelled
    }
}

/// Waits until `requests` have ended and none is in flight. Returns the page.
///
/// A request ends when the server drops it, which can be after its client has read the answer.
#[track_caller]
pub(crate) fn settled(server: &Server, requests: u64) -> Metrics {
    let mut metrics = server.metrics();
    wait_for(DEADLINE, || {
        metrics = server.metrics();
        Outcomes::of(&metrics).total() >= requests
            && metrics.sum("runtime_health_requests_in_flight", &[]) == 0.0
    });
    metrics
}

/// Waits until as many requests have ended as expected, and compares their outcomes.
#[track_caller]
pub(crate) fn assert_outcomes(server: &Server, expected: Outcomes) {
    let metrics = settled(server, expected.total());
    assert_eq!(Outcomes::of(&metrics), expected);
}

/// Waits until exactly this many requests are in flight.
#[track_caller]
pub(crate) fn in_flight(server: &Server, requests: u64) {
    wait_for(DEADLINE, || {
        let metrics = server.metrics();
        metrics.sum("runtime_health_requests_in_flight", &[]) == requests as f64
    });
}
