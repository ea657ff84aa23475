//! `prometheus/rules.yml` and `prometheus/alerts.yml`.

use serde_json::{Value, json};

use crate::alerts::{self, Alert};
use crate::config::Config;
use crate::expr::{expand, full_name};
use crate::signals::{GROUPS, OBJECTIVE};

/// Returns the recording rules.
pub fn recording(config: &Config) -> Value {
    let mut groups: Vec<Value> = GROUPS
        .iter()
        .map(|group| {
            let rules: Vec<Value> = group
                .rules
                .iter()
                .map(|rule| {
                    json!({
                        "record": full_name(config, rule.name),
                        "expr": expand(config, rule.expr),
                    })
                })
                .collect();
            json!({"name": format!("runtime-health.{}", group.name), "rules": rules})
        })
        .collect();
    let objective = json!({
        "record": full_name(config, OBJECTIVE),
        "expr": format!("vector({})", config.objective),
    });
    if let Some(Value::Array(rules)) = groups.last_mut().and_then(|group| group.get_mut("rules")) {
        rules.push(objective);
    }
    json!({ "groups": groups })
}

/// Returns the alerting rules.
pub fn alerting(config: &Config) -> Value {
    let rules: Vec<Value> = alerts::all(config)
        .iter()
        .map(|alert| rule(config, alert))
        .collect();
    json!({"groups": [{"name": "runtime-health.alerts", "rules": rules}]})
}

fn rule(config: &Config, alert: &Alert) -> Value {
    let mut labels = json!({"severity": alert.severity});
    for (name, value) in &alert.labels {
        labels[*name] = json!(value);
    }
    json!({
        "alert": alert.name,
        "expr": expand(config, &alert.expr),
        "for": config.wait(alert.wait),
        "labels": labels,
        "annotations": annotations(config, alert),
    })
}

/// Returns an alert's annotations as in the file, with unexpanded placeholders.
pub fn annotations(config: &Config, alert: &Alert) -> Value {
    json!({
        "summary": alert.summary,
        "description": alert.description,
        "runbook_url": config.runbook_url(alert.name),
        "dashboard_uid": alert.dashboard,
    })
}
