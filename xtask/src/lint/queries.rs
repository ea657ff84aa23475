//! Series exist and are used correctly.

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{Expr, VectorSelector};
use tower_runtime_health::names::Kind;

use super::labels::{Known, name_of};
use super::{Problems, parsed, walk};

/// Returns all problems of an expression.
pub fn problems(known: &Known, expr: &str) -> Problems {
    let parsed = match parsed(expr) {
        Ok(parsed) => parsed,
        Err(problem) => return vec![problem],
    };
    let mut problems = Vec::new();
    if let Err(problem) = known.of(&parsed) {
        problems.push(problem);
    }
    walk(&parsed, &[], &mut |here, above| match here {
        Expr::VectorSelector(selector) => {
            problems.extend(matchers(known, selector));
            problems.extend(type_of_use(known, selector, above, false));
        }
        Expr::MatrixSelector(selector) => {
            problems.extend(matchers(known, &selector.vs));
            problems.extend(type_of_use(known, &selector.vs, above, true));
        }
        Expr::Call(call) if call.func.name == "histogram_quantile" => {
            problems.extend(quantile(known, here));
        }
        Expr::Binary(_) => problems.extend(threshold(known, here)),
        _ => {}
    });
    problems.iter().map(|p| format!("{p}, in {expr}")).collect()
}

/// Checks that matched labels exist and that an `le` is a bound.
fn matchers(known: &Known, selector: &VectorSelector) -> Problems {
    let name = name_of(selector);
    let Ok(labels) = known.of_series(name) else {
        return vec![]; // Reported by `Known::of`.
    };
    let mut problems = Vec::new();
    for Matcher {
        op,
        name: label,
        value,
    } in &selector.matchers.matchers
    {
        if !labels.contains(label) {
            problems.push(format!("{name} has no label {label}"));
        }
        if label == "le" && *op == MatchOp::Equal && value != "+Inf" {
            let bound = value.parse().ok();
            if !bounds(known, name).is_some_and(|bounds| bounds.iter().any(|b| Some(*b) == bound)) {
                problems.push(format!("le=\"{value}\" is not a bound of {name}"));
            }
        }
    }
    problems
}

/// Checks that counters are used as rates and gauges are not.
fn type_of_use(
    known: &Known,
    selector: &VectorSelector,
    above: &[&Expr],
    ranged: bool,
) -> Option<String> {
    let name = name_of(selector);
    let (metric, _) = known.metric(name)?;
    let function = match above.last() {
        Some(Expr::Call(call)) if ranged => call.func.name,
        _ => "",
    };
    let rated = ["rate", "irate", "increase"].contains(&function);
    match metric.kind {
        Kind::Gauge if rated => Some(format!("{function} of the gauge {name}")),
        Kind::Counter | Kind::Histogram if !rated => Some(format!(
            "{name} is a counter, and is used without rate or increase"
        )),
        _ => None,
    }
}

/// Checks that `histogram_quantile` takes a `sum by (le, …)` of bucket rates.
fn quantile(known: &Known, expr: &Expr) -> Option<String> {
    let Expr::Call(call) = expr else { return None };
    let sum = call.args.args.get(1)?;
    if is_sum_of_bucket_rates(known, sum) {
        None
    } else {
        Some("histogram_quantile of something other than a sum by (le, …) of bucket rates".into())
    }
}

fn is_sum_of_bucket_rates(known: &Known, expr: &Expr) -> bool {
    let Expr::Aggregate(sum) = expr else {
        return false;
    };
    let by_le = sum.modifier.as_ref().is_some_and(|modifier| {
        modifier.is_include() && modifier.labels().labels.iter().any(|label| label == "le")
    });
    let of_rates = match &*sum.expr {
        Expr::Call(call) => {
            call.func.name == "rate"
                && matches!(call.args.args.first().map(|arg| &**arg),
                    Some(Expr::MatrixSelector(m)) if name_of(&m.vs).ends_with("_bucket"))
        }
        Expr::VectorSelector(selector) => known
            .recorded(name_of(selector))
            .is_some_and(|recorded| is_sum_of_bucket_rates(known, recorded)),
        _ => false,
    };
    by_le && of_rates && sum.op.to_string() == "sum"
}

/// Checks that a quantile is compared with a bound of its histogram.
fn threshold(known: &Known, expr: &Expr) -> Option<String> {
    let Expr::Binary(comparison) = expr else {
        return None;
    };
    if !comparison.op.is_comparison_operator() {
        return None;
    }
    let Expr::NumberLiteral(number) = &*comparison.rhs else {
        return None;
    };
    let bounds = quantile_bounds(known, &comparison.lhs)?;
    (!bounds.contains(&number.val)).then(|| format!("{} is not a bound", number.val))
}

/// Returns the bounds of the histogram of which an expression is a quantile.
pub fn quantile_bounds(known: &Known, expr: &Expr) -> Option<&'static [f64]> {
    let mut found = None;
    let mut quantile = false;
    walk(expr, &[], &mut |here, _| match here {
        Expr::Call(call) if call.func.name == "histogram_quantile" => quantile = true,
        Expr::VectorSelector(selector) => found = bounds(known, name_of(selector)),
        Expr::MatrixSelector(selector) => found = bounds(known, name_of(&selector.vs)),
        _ => {}
    });
    found.filter(|_| quantile)
}

/// Returns the bounds of a series of buckets, raw or recorded.
fn bounds(known: &Known, name: &str) -> Option<&'static [f64]> {
    if let Some((metric, "_bucket")) = known.metric(name) {
        return Some(metric.buckets);
    }
    let mut found = None;
    walk(known.recorded(name)?, &[], &mut |here, _| {
        if let Expr::MatrixSelector(selector) = here {
            found = found.or(bounds(known, name_of(&selector.vs)));
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// Returns the first problem.
    fn problem(expr: &str) -> String {
        let config = Config::default();
        let known = Known::new(&config, &crate::rules::recording(&config)).unwrap();
        problems(&known, expr).first().cloned().unwrap_or_default()
    }

    #[test]
    fn correct_expressions_pass() {
        for expr in [
            "sum by (route) (rate(runtime_health_blocking_polls_total{cause=\"cpu\"}[$__rate_interval]))",
            "histogram_quantile(0.99, sum by (le) (rate(runtime_health_scheduler_lag_seconds_bucket[5m]))) > 0.05",
            "histogram_quantile(0.5, sum by (le, job) (instance:runtime_health_poll_duration_seconds_bucket:rate5m))",
            "instance:runtime_health_poll_duration_seconds_bucket:rate5m{le=\"0.01\"}",
        ] {
            assert_eq!(problem(expr), "");
        }
    }

    #[test]
    fn incorrect_expressions_are_reported() {
        for (expr, wrong) in [
            ("sum(", "sum("),
            ("runtime_health_worker", "does not exist"),
            ("runtime_health_blocking_polls_total", "is a counter"),
            ("sum(runtime_health_blocking_polls_total)", "is a counter"),
            (
                "max_over_time(runtime_health_blocking_polls_total[5m])",
                "is a counter",
            ),
            ("rate(runtime_health_workers[5m])", "rate of the gauge"),
            ("runtime_health_workers{route=\"/\"}", "no label route"),
            (
                "rate(runtime_health_poll_duration_seconds_bucket{le=\"0.02\"}[5m])",
                "is not a bound",
            ),
            (
                "histogram_quantile(0.9, rate(runtime_health_poll_duration_seconds_bucket[5m]))",
                "other than a sum by (le, …)",
            ),
            (
                "histogram_quantile(0.9, sum by (job) (rate(runtime_health_poll_duration_seconds_bucket[5m])))",
                "other than a sum by (le, …)",
            ),
            (
                "histogram_quantile(0.9, max by (le) (rate(runtime_health_poll_duration_seconds_bucket[5m])))",
                "other than a sum by (le, …)",
            ),
            (
                "histogram_quantile(0.9, sum by (le) (increase(runtime_health_poll_duration_seconds_bucket[5m])))",
                "other than a sum by (le, …)",
            ),
            (
                "histogram_quantile(0.9, sum by (le) (rate(runtime_health_poll_duration_seconds_bucket[5m]))) > 0.3",
                "0.3 is not a bound",
            ),
        ] {
            assert!(problem(expr).contains(wrong), "{expr}: {:?}", problem(expr));
        }
    }
}
