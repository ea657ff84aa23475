//! The generated files pass all checks.

use std::collections::BTreeSet;

use promql_parser::parser::Expr;
use serde_json::Value;
use tower_runtime_health::names::METRICS;

use super::labels::{Known, name_of};
use super::{Problems, exprs_of, links, list, panels, parsed, queries, text, variables, walk};
use crate::config::Config;
use crate::{dashboards, files, rules, signals, thresholds};

pub(super) const RUNBOOK: &str = include_str!("../../../dashboards/RUNBOOK.md");

pub(super) fn known() -> Known {
    let config = Config::default();
    Known::new(&config, &rules::recording(&config)).unwrap()
}

pub(super) fn all() -> Vec<(&'static str, Value)> {
    dashboards::all(&Config::default())
}

pub(super) fn uids(all: &[(&str, Value)]) -> Vec<String> {
    all.iter()
        .map(|(_, d)| text(&d["uid"]).to_owned())
        .collect()
}

pub(super) fn problems_of(dashboard: &Value, uids: &[&str]) -> Problems {
    let known = known();
    [
        panels::basics(dashboard),
        panels::queries(&known, dashboard),
        panels::thresholds(&known, dashboard),
        panels::columns(&known, dashboard),
        panels::layout(dashboard),
        variables::problems(&known, dashboard),
        variables::usage(dashboard),
        links::of_dashboard(dashboard, uids),
    ]
    .concat()
}

#[test]
fn the_committed_files_are_the_generated_ones() {
    let dir = crate::dashboards_dir();
    let files = files::all(&Config::default());
    for (path, content) in &files {
        let committed = std::fs::read_to_string(dir.join(path)).unwrap_or_default();
        assert!(
            committed == *content,
            "dashboards/{path} is out of date: run `cargo run -p xtask -- dashboards`"
        );
    }
    for sub in ["grafana", "prometheus/tests"] {
        for file in std::fs::read_dir(dir.join(sub)).unwrap() {
            let path = format!("{sub}/{}", file.unwrap().file_name().to_str().unwrap());
            assert!(
                files.iter().any(|(known, _)| *known == path),
                "{path} is not generated any more: remove it"
            );
        }
    }
}

#[test]
fn the_dashboards_pass_all_checks() {
    let all = all();
    let uids = uids(&all);
    let uids: Vec<_> = uids.iter().map(String::as_str).collect();
    let mut problems = Problems::new();
    for (name, dashboard) in &all {
        problems.extend(
            problems_of(dashboard, &uids)
                .iter()
                .map(|p| format!("{name}: {p}")),
        );
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn the_alerts_pass_all_checks() {
    let all = all();
    let uids = uids(&all);
    let uids: Vec<_> = uids.iter().map(String::as_str).collect();
    let alerts = rules::alerting(&Config::default());
    let problems: Problems = list(&alerts["groups"][0]["rules"])
        .iter()
        .flat_map(|rule| links::of_alert(&known(), rule, &uids, RUNBOOK))
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn the_rules_are_well_named_and_correct() {
    for rule in signals::rules() {
        assert!(signals::well_named(rule.name), "{}", rule.name);
        let labels: BTreeSet<_> = known()
            .of_series(&crate::expr::full_name(&Config::default(), rule.name))
            .unwrap();
        // The level names the labels that remain.
        let level = rule.name.split(':').next().unwrap();
        let mut expected: BTreeSet<String> =
            ["cluster", "namespace", "job"].map(String::from).into();
        expected.extend(level.split('_').filter(|l| *l != "job").map(String::from));
        if rule.name.contains("_bucket:") {
            expected.insert("le".into());
        }
        assert_eq!(labels, expected, "{}", rule.name);
    }
    let recording = rules::recording(&Config::default());
    for group in list(&recording["groups"]) {
        for rule in list(&group["rules"]) {
            assert_eq!(
                queries::problems(&known(), text(&rule["expr"])),
                Problems::new()
            );
        }
    }
    assert!(!signals::well_named("instance:nothing:sum"));
    assert!(!signals::well_named("instance_workers_sum"));
}

/// Collects the series that an expression reads, through recorded series too.
fn collect_series(known: &Known, expr: &Expr, into: &mut BTreeSet<String>) {
    walk(expr, &[], &mut |here, _| {
        let name = match here {
            Expr::VectorSelector(selector) => name_of(selector),
            Expr::MatrixSelector(selector) => name_of(&selector.vs),
            _ => return,
        };
        if into.insert(name.into())
            && let Some(recorded) = known.recorded(name)
        {
            collect_series(known, recorded, into);
        }
    });
}

#[test]
fn every_metric_is_on_a_dashboard_and_every_recorded_series_is_read() {
    let known = known();
    let mut series = BTreeSet::new();
    for (_, dashboard) in all() {
        for (_, _, expr) in exprs_of(&dashboard) {
            collect_series(&known, &parsed(expr).unwrap(), &mut series);
        }
    }
    let shown: BTreeSet<_> = series
        .iter()
        .filter_map(|s| known.metric(s))
        .map(|(m, _)| m.name)
        .collect();
    for metric in METRICS {
        assert!(
            shown.contains(metric.name),
            "{} is on no dashboard",
            metric.name
        );
    }
    let alerts = rules::alerting(&Config::default());
    for rule in list(&alerts["groups"][0]["rules"]) {
        collect_series(&known, &parsed(text(&rule["expr"])).unwrap(), &mut series);
    }
    for name in known.names() {
        assert!(series.contains(name), "nothing reads {name}");
    }
}

#[test]
fn the_overview_reads_only_recorded_series() {
    let (_, overview) = &all()[0];
    for (_, _, expr) in exprs_of(overview) {
        walk(&parsed(expr).unwrap(), &[], &mut |here, _| match here {
            Expr::VectorSelector(selector) => {
                let name = name_of(selector);
                assert!(name.contains(':') || name == "ALERTS", "{expr}");
            }
            Expr::MatrixSelector(_) => panic!("{expr}"),
            _ => {}
        });
    }
}

#[test]
fn thresholds_on_histograms_are_bucket_bounds() {
    for threshold in thresholds::ALL {
        let Some(histogram) = threshold.bound_of else {
            continue;
        };
        let metric = METRICS
            .iter()
            .find(|metric| metric.name == histogram)
            .unwrap();
        for value in [Some(threshold.warning), threshold.critical]
            .into_iter()
            .flatten()
        {
            let name = threshold.name;
            // The age of a poll in progress may exceed the last bound.
            let beyond = metric.buckets.last().is_some_and(|last| value > *last);
            assert!(
                metric.buckets.contains(&value) || beyond && name == "WORKER_STUCK",
                "{name}"
            );
        }
    }
}

#[test]
fn every_alert_has_a_case_that_fires_and_one_that_does_not() {
    let config = Config::default();
    let tests: Vec<(String, Value)> = crate::rule_tests::all(&config);
    for alert in crate::alerts::all(&config) {
        let (_, file) = tests
            .iter()
            .find(|(name, _)| *name == format!("{}.yml", alert.name))
            .unwrap();
        let expected: Vec<&Value> = list(&file["tests"])
            .iter()
            .map(|test| &test["alert_rule_test"][0]["exp_alerts"])
            .collect();
        let fires = |alerts: &&Value| {
            list(alerts)
                .iter()
                .any(|a| a["exp_labels"]["severity"] == alert.severity)
        };
        assert!(
            expected.iter().any(fires),
            "{} {} never fires",
            alert.name,
            alert.severity
        );
        assert!(
            expected.iter().any(|alerts| list(alerts).is_empty()),
            "{} always fires",
            alert.name
        );
    }
}
