//! Every query of every dashboard, as Grafana would run it.

use serde_json::Value;

use super::stack::INTERVAL;
use crate::Result;
use crate::config::Config;
use crate::dashboards::{self, EMPTY_WHEN_HEALTHY, EMPTY_WITHOUT_UNSTABLE};

/// The demo that must have data for a query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source {
    Healthy,
    Faulty,
    Unstable,
}

pub struct Query {
    /// Dashboard, panel, query.
    pub place: String,
    pub expr: String,
    pub source: Source,
}

/// Returns the queries of all panels and annotations.
pub fn all(config: &Config) -> Vec<Query> {
    let mut queries = Vec::new();
    for (name, dashboard) in dashboards::all(config) {
        for panel in list(&dashboard["panels"]) {
            let description = text(&panel["description"]);
            let source = if description.contains(EMPTY_WHEN_HEALTHY) {
                Source::Faulty
            } else if description.contains(EMPTY_WITHOUT_UNSTABLE) {
                Source::Unstable
            } else {
                Source::Healthy
            };
            for target in list(&panel["targets"]) {
                queries.push(Query {
                    place: format!(
                        "{name}: {} {}",
                        text(&panel["title"]),
                        text(&target["refId"])
                    ),
                    expr: text(&target["expr"]).into(),
                    source,
                });
            }
        }
        for annotation in list(&dashboard["annotations"]["list"]) {
            queries.push(Query {
                place: format!("{name}: annotation {}", text(&annotation["name"])),
                expr: text(&annotation["expr"]).into(),
                source: Source::Faulty,
            });
        }
    }
    queries
}

/// Returns place, selector and label of each variable that is a
/// `label_values(SELECTOR, LABEL)`.
pub fn variables(config: &Config) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for (name, dashboard) in dashboards::all(config) {
        for variable in list(&dashboard["templating"]["list"]) {
            let query = text(&variable["query"]);
            if let Some((selector, label)) = query
                .strip_prefix("label_values(")
                .and_then(|inner| inner.strip_suffix(')')?.rsplit_once(", "))
            {
                let place = format!("{name}: variable {}", text(&variable["name"]));
                found.push((place, selector.to_owned(), label.to_owned()));
            }
        }
    }
    found
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Replaces the variables: by one job and instance, or by All for `None`.
pub fn interpolate(expr: &str, target: Option<(&str, &str)>) -> String {
    let escaped = target.map(|(job, instance)| (job, instance.replace('.', "\\\\.")));
    let (job, instance) = match &escaped {
        Some((job, instance)) => (*job, instance.as_str()),
        None => (".+", ".+"),
    };
    expr.replace("$__rate_interval", &format!("{}s", 5 * INTERVAL))
        .replace("$__range", "60s")
        .replace("$cluster", ".*")
        .replace("$namespace", ".*")
        .replace("$job", job)
        .replace("$instance", instance)
        .replace("$route", ".+")
}

/// Prometheus' HTTP API.
pub struct Api<'u>(pub &'u str);

impl Api<'_> {
    fn get(&self, path: &str, parameters: &[(&str, String)]) -> Result<Value> {
        let mut request = ureq::get(format!("{}/api/v1/{path}", self.0))
            .config()
            .http_status_as_error(false)
            .build();
        for (name, value) in parameters {
            request = request.query(name, value);
        }
        let body = request.call()?.body_mut().read_to_string()?;
        let mut answer: Value = serde_json::from_str(&body)?;
        if answer["status"] != "success" {
            return Err(format!("{parameters:?}: {}", answer["error"]).into());
        }
        Ok(answer["data"].take())
    }

    /// Returns the series of the last minute, each with its values.
    pub fn series(&self, expr: &str) -> Result<Vec<Value>> {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)?
            .as_secs();
        let answer = self.get(
            "query_range",
            &[
                ("query", expr.into()),
                ("start", (now - 60).to_string()),
                ("end", now.to_string()),
                ("step", INTERVAL.to_string()),
            ],
        )?;
        Ok(list(&answer["result"]).to_vec())
    }

    /// Whether the series of the last minute have a finite value.
    pub fn has_data(&self, expr: &str) -> Result<bool> {
        let number = |sample: &Value| {
            let value = text(&sample[1]).parse::<f64>();
            value.is_ok_and(f64::is_finite)
        };
        Ok(self
            .series(expr)?
            .iter()
            .any(|series| list(&series["values"]).iter().any(number)))
    }

    /// Returns the number of values of a label.
    pub fn label_values(&self, selector: &str, label: &str) -> Result<usize> {
        let path = format!("label/{label}/values");
        Ok(list(&self.get(&path, &[("match[]", selector.into())])?).len())
    }
}
