//! What is checked of the generated files, beside that promtool reads them.
//!
//! | file | what |
//! |---|---|
//! | `labels` | which labels an expression has left |
//! | `queries` | metrics, labels and types exist; how they are used |
//! | `panels`, `variables` | the rules of Grafana's dashboard-linter, for all kinds of panels |
//! | `links` | links, annotations and alerts lead somewhere |
//! | `whole` | the generated files, held against all of it |
//! | `broken` | each rule, held against a file that breaks it |
//!
//! Each returns what is wrong, in words; none knows the generator, so a
//! dashboard made by hand can be held against them too.

mod generated;
mod labels;
mod links;
mod panels;
mod queries;
mod rejects;
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

/// What Grafana would put in is put in; variables in strings stay.
fn parsed(expr: &str) -> Result<Expr, String> {
    let filled = expr
        .replace("$__rate_interval", "5m")
        .replace("$__range", "1h");
    parse(&filled).map_err(|error| format!("{expr}: {error}"))
}

/// An expression and all in it, with the calls and aggregations each is in.
fn walk<'e>(expr: &'e Expr, above: &[&'e Expr], see: &mut dyn FnMut(&'e Expr, &[&'e Expr])) {
    see(expr, above);
    let inside = [above, &[expr]].concat();
    for child in children(expr) {
        walk(child, &inside, see);
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

/// Panels that are not rows, with their names.
fn panels_of(dashboard: &Value) -> impl Iterator<Item = (&str, &Value)> {
    list(&dashboard["panels"])
        .iter()
        .filter(|panel| panel["type"] != "row")
        .map(|panel| (text(&panel["title"]), panel))
}

/// Expressions of the panels, with the panels' names.
fn exprs_of(dashboard: &Value) -> impl Iterator<Item = (&str, &Value, &str)> {
    panels_of(dashboard).flat_map(|(name, panel)| {
        list(&panel["targets"])
            .iter()
            .map(move |target| (name, target, text(&target["expr"])))
    })
}
