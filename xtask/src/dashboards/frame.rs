//! Everything around the panels: variables, links, annotations and layout.

use serde_json::{Value, json};

use super::panel::{Kind, Panel, data_source};
use super::{INSTANCE, OVERVIEW, POOL, ROUTE};
use crate::config::Config;
use crate::expr::expand;

/// The series whose label values fill the variable `route`.
pub struct Routes(pub &'static str);

/// Returns a whole dashboard.
pub fn dashboard(
    config: &Config,
    uid: &str,
    title: &str,
    description: &str,
    routes: Option<&Routes>,
    panels: &[Panel],
) -> Value {
    json!({
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["runtime-health"],
        "timezone": "utc",
        "schemaVersion": 39,
        "version": 1,
        "editable": false,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timepicker": {},
        "fiscalYearStartMonth": 0,
        "weekStart": "",
        "liveNow": false,
        "links": links(config, uid),
        "annotations": annotations(config),
        "templating": {"list": variables(config, routes)},
        "panels": layout(config, panels),
    })
}

/// Places the panels left to right and starts a new line where one does not fit.
fn layout(config: &Config, panels: &[Panel]) -> Value {
    let (mut x, mut y, mut line_height) = (0, 0, 0);
    panels
        .iter()
        .enumerate()
        .map(|(at, panel)| {
            if x + panel.width > 24 || panel.kind == Kind::Row {
                (x, y, line_height) = (0, y + line_height, 0);
            }
            let json = panel.json(config, at + 1, x, y);
            x += panel.width;
            line_height = line_height.max(panel.height);
            json
        })
        .collect()
}

/// Links to the other dashboards, which keep the selection, and to the runbook.
fn links(config: &Config, uid: &str) -> Value {
    let others = [
        (OVERVIEW, "Fleet overview"),
        (ROUTE, "Routes"),
        (POOL, "Blocking pool"),
        (INSTANCE, "Workers and instance"),
    ];
    let link = |title: &str, url: String, keep_selection: bool, icon: &str| {
        json!({
            "type": "link",
            "title": title,
            "url": url,
            "icon": icon,
            "tags": [],
            "tooltip": "",
            "asDropdown": false,
            "includeVars": keep_selection,
            "keepTime": keep_selection,
            "targetBlank": !keep_selection,
        })
    };
    others
        .iter()
        .filter(|(other, _)| *other != uid)
        .map(|(other, title)| link(title, format!("/d/{other}"), true, "dashboard"))
        .chain([link("Runbook", config.runbook.clone(), false, "doc")])
        .collect()
}

/// Returns the URL of a dashboard for a row of a table. It keeps the selection and
/// the time range; the labels in `row` are set to the row's values.
pub fn row_link(uid: &str, row: &[&str]) -> String {
    let kept: Vec<_> = ["datasource", "cluster", "namespace", "job", "instance"]
        .into_iter()
        .filter(|name| !row.contains(name))
        .map(|name| format!("${{{name}:queryparam}}"))
        .collect();
    let of_row: Vec<_> = row
        .iter()
        .map(|name| format!("var-{name}=${{__data.fields.{name}}}"))
        .collect();
    let parameters = [kept, of_row, vec!["${__url_time_range}".into()]].concat();
    format!("/d/{uid}?{}", parameters.join("&"))
}

/// Annotations that mark when an alert fired.
fn annotations(config: &Config) -> Value {
    let alerts = |name: &str, color: &str, severity: &str| {
        let expr = format!(
            "ALERTS{{*, alertname=~\"RuntimeHealth.+\", alertstate=\"firing\", severity{severity}}}"
        );
        json!({
            "name": name,
            "datasource": data_source(),
            "enable": true,
            "iconColor": color,
            "expr": expand(config, &expr),
            "step": "30s",
            "titleFormat": "{{alertname}}",
            "textFormat": "{{job}} {{instance}} {{route}}",
            "tagKeys": "severity",
        })
    };
    json!({"list": [
        alerts("Critical alerts", "red", "=\"critical\""),
        alerts("Other alerts", "orange", "!=\"critical\""),
    ]})
}

/// The variables. Each one narrows the choices of the next.
fn variables(config: &Config, routes: Option<&Routes>) -> Value {
    let mut list = vec![json!({
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
        "regex": "",
        "current": {"selected": false, "text": "", "value": ""},
        "hide": 0,
        "includeAll": false,
        "multi": false,
        "options": [],
        "skipUrlSync": false,
    })];
    // The first two labels are optional, and `.*` also matches a missing label.
    let mut matchers: Vec<String> = Vec::new();
    for (name, label, all) in [
        ("cluster", "Cluster", ".*"),
        ("namespace", "Namespace", ".*"),
        ("job", "Job", ".+"),
        ("instance", "Instance", ".+"),
    ] {
        let selection = matchers.join(", ");
        let query = format!("label_values(<build_info>{{{selection}}}, {name})");
        list.push(variable(&expand(config, &query), name, label, all));
        matchers.push(format!("{name}=~\"${name}\""));
    }
    if let Some(Routes(series)) = routes {
        let query = format!("label_values(<{series}>{{@}}, route)");
        list.push(variable(&expand(config, &query), "route", "Route", ".+"));
    }
    json!(list)
}

fn variable(query: &str, name: &str, label: &str, all: &str) -> Value {
    let query = query.replace("{}", "");
    json!({
        "name": name,
        "label": label,
        "type": "query",
        "datasource": data_source(),
        "query": query,
        "definition": query,
        "refresh": 2,
        "regex": "",
        "sort": 1,
        "multi": true,
        "includeAll": true,
        "allValue": all,
        "current": {"selected": true, "text": ["All"], "value": ["$__all"]},
        "hide": 0,
        "options": [],
        "skipUrlSync": false,
    })
}
