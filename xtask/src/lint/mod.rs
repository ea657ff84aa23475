//! Checks of the generated files, in addition to those of promtool.
//!
//! | file | what |
//! |---|---|
//! | `labels` | which labels an expression's result has |
//! | `queries` | metrics, labels and types exist and are used correctly |
//! | `panels`, `variables` | the rules of Grafana's dashboard-linter, for panels of all kinds |
//! | `links` | the targets of links, annotations and alerts exist |
//! | `generated` | tests: the generated files pass all checks |
//! | `stated` | tests: runbook and README state the thresholds in force |
//! | `rejects` | tests: each check rejects a file that breaks it |
//!
//! A check returns a description of each problem. The checks do not depend on the
//! generator, so they also apply to a dashboard made by hand.

mod generated;
mod labels;
mod links;
mod panels;
mod queries;
mod rejects;
mod stated;
mod variables;

use promql_parser::parser::{Expr, parse};
use serde_json::Value;

type Problems = Vec<String>;

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Parses an expression with Grafana's interval variables replaced. Variables in
/// strings stay.
fn parsed(expr: &str) -> Result<Expr, String> {
    let filled = expr
        .replace("$__rate_interval", "5m")
        .replace("$__range", "1h");
    parse(&filled).map_err(|error| format!("{expr}: {error}"))
}

/// Visits an expression and all its parts, each with the expressions around it.
fn walk<'e>(expr: &'e Expr, above: &[&'e Expr], visit: &mut dyn FnMut(&'e Expr, &[&'e Expr])) {
    visit(expr, above);
    let inside = [above, &[expr]].concat();
    for child in children(expr) {
        walk(child, &inside, visit);
    }
}

fn children(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Aggregate(e) => e
            .param
            .iter()
            .map(|param| &**param)
            .chain([&*e.expr])
            .collect(),
        Expr::Unary(e) => vec![&*e.expr],
        Expr::Binary(e) => vec![&*e.lhs, &*e.rhs],
        Expr::Paren(e) => vec![&*e.expr],
        Expr::Subquery(e) => vec![&*e.expr],
        Expr::Call(e) => e.args.args.iter().map(|arg| &**arg).collect(),
        _ => vec![],
    }
}

/// Returns the panels that are not rows, with their titles.
fn panels_of(dashboard: &Value) -> impl Iterator<Item = (&str, &Value)> {
    list(&dashboard["panels"])
        .iter()
        .filter(|panel| panel["type"] != "row")
        .map(|panel| (text(&panel["title"]), panel))
}

/// Returns the expressions of the panels, with the panels' titles.
fn exprs_of(dashboard: &Value) -> impl Iterator<Item = (&str, &Value, &str)> {
    panels_of(dashboard).flat_map(|(name, panel)| {
        list(&panel["targets"])
            .iter()
            .map(move |target| (name, target, text(&target["expr"])))
    })
}
