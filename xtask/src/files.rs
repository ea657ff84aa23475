//! Every generated file.

use serde_json::{Value, json};

use crate::config::Config;
use crate::{dashboards, rule_tests, rules, yaml};

/// Returns the path below `dashboards/` and the content of each file.
pub fn all(config: &Config) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = dashboards::all(config)
        .iter()
        .map(|(name, dashboard)| (format!("grafana/{name}"), pretty(dashboard)))
        .collect();
    let recording = rules::recording(config);
    let alerting = rules::alerting(config);
    files.extend([
        ("prometheus/rules.yml".into(), yaml::file(&recording)),
        ("prometheus/alerts.yml".into(), yaml::file(&alerting)),
        (
            "kubernetes/prometheusrule.yaml".into(),
            yaml::file(&prometheus_rule(&recording, &alerting)),
        ),
    ]);
    files.extend(
        rule_tests::all(config)
            .iter()
            .map(|(name, test)| (format!("prometheus/tests/{name}"), yaml::file(test))),
    );
    files
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Returns the rules as a resource of the Prometheus operator.
fn prometheus_rule(recording: &Value, alerting: &Value) -> Value {
    let groups: Vec<_> = [recording, alerting]
        .iter()
        .filter_map(|rules| rules["groups"].as_array())
        .flatten()
        .cloned()
        .collect();
    json!({
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "runtime-health"},
        "spec": {"groups": groups},
    })
}
