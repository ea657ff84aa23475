//! The targets of links, annotations and alerts exist.

use serde_json::Value;

use super::labels::{Known, placeholders};
use super::{Problems, list, panels_of, text};
use crate::config::seconds;
use crate::live::has_section;

/// Checks a dashboard's links: they lead to `uids`, and keep variables and time.
pub fn of_dashboard(dashboard: &Value, uids: &[&str]) -> Problems {
    let mut problems = Vec::new();
    let own = text(&dashboard["uid"]);
    let mut linked = vec![own];
    for link in list(&dashboard["links"]) {
        let url = text(&link["url"]);
        let Some(uid) = url.strip_prefix("/d/") else {
            continue; // The link to the runbook.
        };
        linked.push(uid);
        if !uids.contains(&uid) {
            problems.push(format!("a link to {uid}, which is not a dashboard"));
        }
        if link["includeVars"] != true || link["keepTime"] != true {
            problems.push(format!("the link to {uid} loses variables or time"));
        }
    }
    for uid in uids.iter().filter(|uid| !linked.contains(uid)) {
        problems.push(format!("no link to {uid}"));
    }
    for (name, panel) in panels_of(dashboard) {
        for url in column_links(&panel["fieldConfig"]) {
            let Some((uid, query)) = url.strip_prefix("/d/").and_then(|u| u.split_once('?')) else {
                continue;
            };
            let keeps_selection = ["datasource", "cluster", "namespace", "job", "instance"]
                .iter()
                .all(|v| {
                    query.contains(&format!("${{{v}:queryparam}}"))
                        || query.contains(&format!("var-{v}=${{__data.fields.{v}}}"))
                });
            if !uids.contains(&uid) || !keeps_selection || !query.contains("${__url_time_range}") {
                problems.push(format!(
                    "panel {name:?}: the link {url} loses its target or the selection"
                ));
            }
        }
    }
    problems
}

fn column_links(config: &Value) -> impl Iterator<Item = &str> {
    list(&config["overrides"])
        .iter()
        .flat_map(|column| list(&column["properties"]))
        .filter(|property| property["id"] == "links")
        .flat_map(|property| list(&property["value"]))
        .map(|link| text(&link["url"]))
}

/// Checks an alerting rule: expression, labels, texts, runbook and dashboard.
pub fn of_alert(known: &Known, rule: &Value, uids: &[&str], runbook: &str) -> Problems {
    let name = text(&rule["alert"]);
    let mut problems = super::queries::problems(known, text(&rule["expr"]));
    if seconds(text(&rule["for"])).is_none_or(|wait| wait == 0) {
        problems.push("no `for`".into());
    }
    if !["critical", "warning", "info"].contains(&text(&rule["labels"]["severity"])) {
        problems.push("no valid severity".into());
    }
    let notes = &rule["annotations"];
    for note in ["summary", "description"] {
        let note = text(&notes[note]);
        if !note.ends_with('.') {
            problems.push("a summary or description that is not a sentence".into());
        }
        let labels: Vec<_> = placeholders(note)
            .filter_map(|inner| inner.strip_prefix("$labels."))
            .map(|label| format!("{{{{{label}}}}}"))
            .collect();
        problems.extend(known.missing_in_legend(text(&rule["expr"]), &labels.join(" ")));
    }
    let anchor = text(&notes["runbook_url"])
        .rsplit_once('#')
        .map_or("", |(_, a)| a);
    if !has_section(runbook, anchor) {
        problems.push(format!("no section {anchor:?} in the runbook"));
    }
    if !uids.contains(&text(&notes["dashboard_uid"])) {
        problems.push("the dashboard does not exist".into());
    }
    problems.iter().map(|p| format!("{name}: {p}")).collect()
}
