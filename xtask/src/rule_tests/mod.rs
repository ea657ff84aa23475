//! Generates the tests for `promtool test rules`: for each alert, a case in
//! which it fires and one in which it does not.

mod cases;

use serde_json::{Value, json};

use crate::alerts::{self, Alert};
use crate::config::Config;
use crate::expr::full_name;
use crate::rules::annotations;
use cases::{Case, Fires};

/// The labels of the scrape target in every case.
const TARGET: [(&str, &str); 4] = [
    ("cluster", "eu"),
    ("namespace", "shop"),
    ("job", "web"),
    ("instance", "10.0.0.1:9464"),
];

/// Returns one file for each alert: its name and its content.
pub fn all(config: &Config) -> Vec<(String, Value)> {
    let alerts = alerts::all(config);
    let mut files: Vec<(String, Vec<Value>)> = Vec::new();
    for case in cases::all() {
        let file = format!("{}.yml", case.alert);
        let test = test(config, &alerts, &case);
        match files.iter_mut().find(|(name, _)| *name == file) {
            Some((_, tests)) => tests.push(test),
            None => files.push((file, vec![test])),
        }
    }
    files
        .into_iter()
        .map(|(name, tests)| {
            let file = json!({
                "rule_files": ["../rules.yml", "../alerts.yml"],
                "evaluation_interval": "1m",
                "tests": tests,
            });
            (name, file)
        })
        .collect()
}

fn test(config: &Config, alerts: &[Alert], case: &Case) -> Value {
    let series: Vec<_> = case
        .series
        .iter()
        .map(|(series, values)| json!({"series": selector(config, series), "values": values}))
        .collect();
    let expected: Vec<_> = case
        .fires
        .iter()
        .map(|fires| expected(config, alerts, case, fires))
        .collect();
    json!({
        "name": format!("{}: {}", case.alert, case.what),
        "interval": "1m",
        "input_series": series,
        "alert_rule_test": [{"eval_time": case.at, "alertname": case.alert, "exp_alerts": expected}],
    })
}

/// Returns `name{labels}` with the labels of the target added.
fn selector(config: &Config, written: &str) -> String {
    let (name, labels) = written.split_once('{').unwrap_or((written, "}"));
    let name = match name {
        "up" => "up".into(),
        name => full_name(config, name),
    };
    let target: Vec<_> = TARGET
        .iter()
        .map(|(label, value)| format!("{label}=\"{value}\""))
        .collect();
    let more = if labels == "}" { "" } else { ", " };
    format!("{name}{{{}{more}{labels}", target.join(", "))
}

fn expected(config: &Config, alerts: &[Alert], case: &Case, fires: &Fires) -> Value {
    let alert = alerts
        .iter()
        .find(|alert| {
            alert.name == case.alert
                && alert.severity == fires.severity
                && alert.labels.iter().all(|label| {
                    fires
                        .labels
                        .iter()
                        .any(|(n, v)| (*n, *v) == (label.0, label.1.as_str()))
                })
        })
        .unwrap_or_else(|| panic!("no alert {} of severity {}", case.alert, fires.severity));
    let per_job = ["RuntimeHealthRouteBlocks", "RuntimeHealthPollBudgetBurn"].contains(&case.alert);
    let mut labels = json!({"severity": fires.severity});
    for (name, value) in TARGET.iter().chain(&fires.labels) {
        if *name != "instance" || !per_job {
            labels[*name] = json!(value);
        }
    }
    let mut texts = annotations(config, alert);
    if let Value::Object(texts) = &mut texts {
        for text in texts.values_mut() {
            *text = json!(render(
                text.as_str().unwrap_or_default(),
                &labels,
                fires.value
            ));
        }
    }
    json!({"exp_labels": labels, "exp_annotations": texts})
}

/// Renders a template as Prometheus does, for the two forms used here.
fn render(text: &str, labels: &Value, value: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{ ") {
        let (inner, after) = after.split_once(" }}").unwrap_or((after, ""));
        out += before;
        out += match inner.strip_prefix("$labels.") {
            Some(label) => labels[label].as_str().unwrap_or_default(),
            None => value,
        };
        rest = after;
    }
    out + rest
}
