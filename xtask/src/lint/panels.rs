//! The rules of Grafana's dashboard-linter for panels and their queries, applied
//! to every kind of panel, and some additional rules.

use promql_parser::label::{MatchOp, Matchers};
use promql_parser::parser::Expr;
use serde_json::Value;

use super::labels::{Known, name_of};
use super::queries::quantile_bounds;
use super::{Problems, exprs_of, list, panels_of, parsed, text, walk};

const UNITS: [&str; 5] = ["short", "s", "percentunit", "reqps", "ops"];

/// Checks each panel: data source, title, description, unit, queries.
pub fn basics(dashboard: &Value) -> Problems {
    let mut problems = Vec::new();
    for (name, panel) in panels_of(dashboard) {
        let mut wrong = |what: &str| problems.push(format!("panel {name:?}: {what}"));
        if name.is_empty() || text(&panel["description"]).is_empty() {
            wrong("no title or no description");
        }
        if panel["type"] == "text" {
            continue;
        }
        if !text(&panel["description"]).contains("Good: ") {
            wrong("its description does not say what is good");
        }
        if panel["datasource"]["uid"] != "${datasource}" {
            wrong("not the selected data source");
        }
        if list(&panel["targets"]).is_empty() {
            wrong("no query");
        }
        let units = column_units(panel);
        let unit = text(&panel["fieldConfig"]["defaults"]["unit"]);
        if !units.iter().chain([&unit]).all(|unit| UNITS.contains(unit)) {
            wrong("no known unit");
        }
        if panel["type"] == "timeseries"
            && list(&panel["targets"])
                .iter()
                .any(|target| text(&target["legendFormat"]).is_empty())
        {
            wrong("a line without a legend");
        }
        for target in list(&panel["targets"]) {
            if target["datasource"]["type"] != "prometheus"
                || target["datasource"]["uid"] != "${datasource}"
            {
                wrong("a query to another data source than the selected Prometheus");
            }
        }
    }
    problems
}

fn column_units(panel: &Value) -> Vec<&str> {
    list(&panel["fieldConfig"]["overrides"])
        .iter()
        .flat_map(|column| list(&column["properties"]))
        .filter(|property| property["id"] == "unit")
        .map(|property| text(&property["value"]))
        .collect()
}

/// Checks the queries: syntax, windows, selection by the variables, legends.
pub fn queries(known: &Known, dashboard: &Value) -> Problems {
    let mut problems = Vec::new();
    for (name, target, expr) in exprs_of(dashboard) {
        let mut wrong = |what: String| problems.push(format!("panel {name:?}: {what}"));
        let parsed = match parsed(expr) {
            Ok(parsed) => parsed,
            Err(problem) => {
                wrong(problem);
                continue;
            }
        };
        super::queries::problems(known, expr)
            .into_iter()
            .for_each(&mut wrong);
        known
            .missing_in_legend(expr, text(&target["legendFormat"]))
            .into_iter()
            .for_each(&mut wrong);
        if ranges(expr).any(|range| range != "$__rate_interval" && range != "$__range") {
            wrong(format!("a window that is not $__rate_interval: {expr}"));
        }
        walk(&parsed, &[], &mut |here, above| {
            let selector = match here {
                Expr::VectorSelector(selector) => selector,
                Expr::MatrixSelector(selector) => {
                    // $__range suits aggregates over the whole range, not rates.
                    if rates_over_the_range(above, selector.range) {
                        wrong(format!("a rate over $__range: {expr}"));
                    }
                    &selector.vs
                }
                _ => return,
            };
            for label in ["cluster", "namespace", "job", "instance"] {
                if !selected_by(&selector.matchers, label) {
                    wrong(format!("{} not selected by ${label}", name_of(selector)));
                }
            }
        });
    }
    problems
}

/// Whether a label is matched with its variable.
fn selected_by(matchers: &Matchers, label: &str) -> bool {
    matchers.matchers.iter().any(|matcher| {
        let value = matcher.value.trim_end_matches('|');
        matcher.name == label
            && matches!(matcher.op, MatchOp::Re(_))
            && value.strip_prefix('$') == Some(label)
    })
}

fn rates_over_the_range(above: &[&Expr], range: std::time::Duration) -> bool {
    let rate = |call: &str| ["rate", "irate", "increase"].contains(&call);
    matches!(above.last(), Some(Expr::Call(call)) if rate(call.func.name))
        && range == std::time::Duration::from_secs(3_600)
}

/// Returns the windows as written.
fn ranges(expr: &str) -> impl Iterator<Item = &str> {
    expr.split('[')
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(']')?.0))
}

/// Checks that the thresholds of a quantile panel are bounds of its histogram.
pub fn thresholds(known: &Known, dashboard: &Value) -> Problems {
    let mut problems = Vec::new();
    for (name, panel) in panels_of(dashboard) {
        let Some(Ok(expr)) = list(&panel["targets"])
            .first()
            .map(|t| parsed(text(&t["expr"])))
        else {
            continue;
        };
        let Some(bounds) = quantile_bounds(known, &expr) else {
            continue;
        };
        for step in list(&panel["fieldConfig"]["defaults"]["thresholds"]["steps"]) {
            if let Some(value) = step["value"].as_f64()
                && !bounds.contains(&value)
            {
                problems.push(format!("panel {name:?}: threshold {value} is not a bound"));
            }
        }
    }
    problems
}

/// Checks that a table's columns are labels of its queries' results, or values.
pub fn columns(known: &Known, dashboard: &Value) -> Problems {
    let mut problems = Vec::new();
    for (name, panel) in panels_of(dashboard).filter(|(_, panel)| panel["type"] == "table") {
        let names = &panel["transformations"][1]["options"]["include"]["names"];
        for column in list(names).iter().map(text) {
            let value = column.strip_prefix("Value");
            let exists = match value.map(|id| id.trim_start_matches(" #")) {
                Some("") => list(&panel["targets"]).len() == 1,
                Some(id) => list(&panel["targets"])
                    .iter()
                    .any(|target| target["refId"] == id),
                None => list(&panel["targets"]).iter().all(|target| {
                    let legend = format!("{{{{{column}}}}}");
                    known
                        .missing_in_legend(text(&target["expr"]), &legend)
                        .is_empty()
                }),
            };
            if !exists {
                problems.push(format!("table {name:?}: no column {column}"));
            }
        }
    }
    problems
}

/// Checks that no two panels overlap.
pub fn layout(dashboard: &Value) -> Problems {
    let place = |panel: &Value| {
        ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap_or(u64::MAX / 4))
    };
    let panels = list(&dashboard["panels"]);
    let mut problems = Vec::new();
    for (at, one) in panels.iter().enumerate() {
        let [x, y, w, h] = place(one);
        if x + w > 24 {
            problems.push(format!("panel {:?} is too wide", text(&one["title"])));
        }
        for other in &panels[at + 1..] {
            let [ox, oy, ow, oh] = place(other);
            if x < ox + ow && ox < x + w && y < oy + oh && oy < y + h {
                problems.push(format!(
                    "panels {:?} and {:?} overlap",
                    text(&one["title"]),
                    text(&other["title"])
                ));
            }
            if one["id"] == other["id"] {
                problems.push(format!("two panels with the id {}", one["id"]));
            }
        }
    }
    problems
}
