//! Which labels the result of an expression has.

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::parser::{Expr, LabelModifier, VectorSelector};
use serde_json::Value;

use super::{Problems, list, parsed, text};
use crate::config::Config;
use crate::expr::metric;

type Labels = BTreeSet<String>;

/// Labels of a target. The first two are optional.
const TARGET: [&str; 4] = ["cluster", "namespace", "job", "instance"];

/// All existing series: the crate's, the recorded ones and Prometheus' own.
pub struct Known {
    prefix: String,
    recorded: BTreeMap<String, Expr>,
}

impl Known {
    /// `rules` is a file of recording rules.
    pub fn new(config: &Config, rules: &Value) -> Result<Self, String> {
        let mut recorded = BTreeMap::new();
        for group in list(&rules["groups"]) {
            for rule in list(&group["rules"]) {
                recorded.insert(
                    text(&rule["record"]).to_owned(),
                    parsed(text(&rule["expr"]))?,
                );
            }
        }
        Ok(Self {
            prefix: format!("{}_", config.prefix),
            recorded,
        })
    }

    /// Returns the expression of a recorded series.
    pub fn recorded(&self, name: &str) -> Option<&Expr> {
        self.recorded.get(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.recorded.keys().map(String::as_str)
    }

    /// Returns a metric of the crate and the suffix of its series.
    pub fn metric<'n>(
        &self,
        name: &'n str,
    ) -> Option<(&'static tower_runtime_health::names::Metric, &'n str)> {
        let series = name.strip_prefix(&self.prefix)?;
        let metric = metric(series)?;
        Some((metric, &series[metric.name.len()..]))
    }

    /// Returns the labels of a series.
    pub fn of_series(&self, name: &str) -> Result<Labels, String> {
        if let Some(expr) = self.recorded.get(name) {
            return self.of(expr);
        }
        let own: Vec<&str> = match name {
            "up" => vec![],
            "ALERTS" => vec![
                "alertname",
                "alertstate",
                "severity",
                "route",
                "runtime",
                "cause",
            ],
            _ => {
                let (metric, suffix) = self.metric(name).ok_or(format!("{name} does not exist"))?;
                let le = (suffix == "_bucket").then_some("le");
                metric.labels.iter().copied().chain(le).collect()
            }
        };
        Ok(TARGET.into_iter().chain(own).map(String::from).collect())
    }

    /// Returns the labels of an expression's result.
    pub fn of(&self, expr: &Expr) -> Result<Labels, String> {
        match expr {
            Expr::VectorSelector(selector) => self.of_series(name_of(selector)),
            Expr::MatrixSelector(selector) => self.of_series(name_of(&selector.vs)),
            Expr::Paren(e) => self.of(&e.expr),
            Expr::Unary(e) => self.of(&e.expr),
            Expr::Subquery(e) => self.of(&e.expr),
            Expr::Call(call) => {
                let mut labels = Labels::new();
                for arg in &call.args.args {
                    labels.extend(self.of(arg)?);
                }
                if call.func.name == "histogram_quantile" {
                    labels.remove("le");
                }
                Ok(labels)
            }
            Expr::Aggregate(e) => {
                let inside = self.of(&e.expr)?;
                match &e.modifier {
                    _ if e.param.is_some() => Ok(inside),
                    None => Ok(Labels::new()),
                    Some(LabelModifier::Include(by)) => {
                        let by: Labels = by.labels.iter().cloned().collect();
                        match by.difference(&inside).next() {
                            Some(missing) => {
                                Err(format!("by ({missing}) in {expr}: no such label"))
                            }
                            None => Ok(by),
                        }
                    }
                    Some(LabelModifier::Exclude(without)) => {
                        let without: Labels = without.labels.iter().cloned().collect();
                        Ok(inside.difference(&without).cloned().collect())
                    }
                }
            }
            Expr::Binary(e) => {
                let (left, right) = (self.of(&e.lhs)?, self.of(&e.rhs)?);
                if let Some(LabelModifier::Include(on)) = e
                    .modifier
                    .as_ref()
                    .and_then(|modifier| modifier.matching.as_ref())
                {
                    for label in &on.labels {
                        if !left.contains(label) || !right.contains(label) {
                            return Err(format!("on ({label}) in {expr}: not on both sides"));
                        }
                    }
                }
                Ok(match e.op.to_string().as_str() {
                    "or" => left.union(&right).cloned().collect(),
                    "and" | "unless" => left,
                    _ if left.is_empty() => right,
                    _ => left,
                })
            }
            _ => Ok(Labels::new()),
        }
    }

    /// Reports labels of a legend or a table's columns that the result lacks.
    pub fn missing_in_legend(&self, expr: &str, legend: &str) -> Problems {
        let labels = match parsed(expr).and_then(|parsed| self.of(&parsed)) {
            Ok(labels) => labels,
            Err(problem) => return vec![problem],
        };
        placeholders(legend)
            .filter(|label| !labels.contains(*label))
            .map(|label| format!("legend {{{{{label}}}}} of {expr}: the result has no such label"))
            .collect()
    }
}

pub fn name_of(selector: &VectorSelector) -> &str {
    selector.name.as_deref().unwrap_or_default()
}

/// Returns the contents of each `{{…}}`.
pub fn placeholders(legend: &str) -> impl Iterator<Item = &str> {
    legend
        .split("{{")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("}}")?.0.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let config = Config::default();
        Known::new(&config, &crate::rules::recording(&config)).unwrap()
    }

    fn of(expr: &str) -> Result<String, String> {
        let labels = known().of(&parsed(expr).unwrap())?;
        Ok(labels.into_iter().collect::<Vec<_>>().join(","))
    }

    #[test]
    fn labels_are_followed_through_an_expression() {
        let rate = "rate(runtime_health_blocking_seconds_total[5m])";
        assert_eq!(of(&format!("sum by (route) ({rate})")).unwrap(), "route");
        assert_eq!(
            of(&format!("topk(3, sum by (job, cause) ({rate}))")).unwrap(),
            "cause,job"
        );
        assert_eq!(of(&format!("sum({rate})")).unwrap(), "");
        let wait = "sum by (le, route) (rate(runtime_health_blocking_run_seconds_bucket[5m]))";
        assert_eq!(
            of(&format!("histogram_quantile(0.9, {wait})")).unwrap(),
            "route"
        );
        assert_eq!(
            of("instance_runtime:runtime_health_worker_busy:ratio_rate5m").unwrap(),
            "cluster,instance,job,namespace,runtime"
        );
    }

    #[test]
    fn unknown_series_and_labels_are_reported() {
        assert!(of("runtime_health_nothing").is_err());
        assert!(of("instance:runtime_health_nothing:sum").is_err());
        assert!(of("sum by (route) (runtime_health_workers)").is_err());
        assert!(of("up and on (route) runtime_health_stalled_polls").is_err());
        let missing = known().missing_in_legend("sum by (job) (up)", "{{job}} {{instance}}");
        assert_eq!(missing.len(), 1);
    }
}
