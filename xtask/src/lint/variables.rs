//! The rules of Grafana's dashboard-linter for variables and the dashboard.

use serde_json::Value;

use super::labels::Known;
use super::{Problems, list, text};

/// Whether Grafana defines the variable.
fn is_builtin(name: &str) -> bool {
    name.starts_with("__")
}

/// Checks the variables: data source, the chained ones, and `route` if present.
pub fn problems(known: &Known, dashboard: &Value) -> Problems {
    let mut problems = Vec::new();
    let variables = list(&dashboard["templating"]["list"]);
    let named = |name: &str| variables.iter().find(|variable| variable["name"] == name);
    match named("datasource") {
        Some(source) if source["type"] == "datasource" && source["query"] == "prometheus" => {}
        _ => problems.push("no variable for a Prometheus data source".into()),
    }
    let mut before: Vec<&str> = Vec::new();
    for (name, all) in [
        ("cluster", ".*"),
        ("namespace", ".*"),
        ("job", ".+"),
        ("instance", ".+"),
    ] {
        let Some(variable) = named(name) else {
            problems.push(format!("no variable {name}"));
            continue;
        };
        if variable["allValue"] != all {
            problems.push(format!("All of {name} is not {all}"));
        }
        for other in &before {
            if !text(&variable["query"]).contains(&format!("{other}=~\"${other}\"")) {
                problems.push(format!("{name} does not follow {other}"));
            }
        }
        before.push(name);
    }
    for variable in variables
        .iter()
        .filter(|variable| variable["type"] == "query")
    {
        let name = text(&variable["name"]);
        let mut wrong = |what: &str| problems.push(format!("variable {name}: {what}"));
        if variable["multi"] != true || variable["includeAll"] != true {
            wrong("not multi with All");
        }
        if variable["refresh"] != 2 {
            wrong("not refreshed when the time range changes");
        }
        if variable["datasource"]["uid"] != "${datasource}" {
            wrong("not from the selected data source");
        }
        if text(&variable["label"]).to_lowercase() != name {
            wrong("a label that is not its name");
        }
        match selector(text(&variable["query"])) {
            Some((selector, label)) => {
                for problem in known.missing_in_legend(selector, &format!("{{{{{label}}}}}")) {
                    wrong(&problem);
                }
            }
            None => wrong("not label_values(SELECTOR, LABEL)"),
        }
    }
    if dashboard["editable"] != false {
        problems.push("the dashboard is editable".into());
    }
    if dashboard["schemaVersion"] != 39 || dashboard["graphTooltip"] != 1 {
        problems.push("not schema 39, or no shared crosshair".into());
    }
    problems
}

/// Splits `label_values(SELECTOR, LABEL)`.
fn selector(query: &str) -> Option<(&str, &str)> {
    query
        .strip_prefix("label_values(")?
        .strip_suffix(')')?
        .rsplit_once(", ")
}

/// Reports variables that are used but not defined, or defined but not used.
pub fn usage(dashboard: &Value) -> Problems {
    let defined: Vec<&str> = list(&dashboard["templating"]["list"])
        .iter()
        .map(|variable| text(&variable["name"]))
        .collect();
    // A link that passes a variable on does not count as a use.
    let mut users = vec![
        dashboard["panels"].clone(),
        dashboard["annotations"].clone(),
    ];
    for variable in list(&dashboard["templating"]["list"]) {
        users.push(variable["datasource"].clone());
    }
    let used: Vec<String> = users
        .iter()
        .flat_map(|user| references(&user.to_string()))
        .chain(queries_of_variables(dashboard))
        .collect();
    let undefined = used
        .iter()
        .filter(|name| !is_builtin(name) && !defined.contains(&name.as_str()))
        .map(|name| format!("${name} is not defined"));
    let unused = defined
        .iter()
        .filter(|name| !used.iter().any(|used| used == *name))
        .map(|name| format!("${name} is not used"));
    undefined.chain(unused).collect()
}

fn queries_of_variables(dashboard: &Value) -> impl Iterator<Item = String> {
    list(&dashboard["templating"]["list"])
        .iter()
        .flat_map(|variable| references(text(&variable["query"])))
}

/// Returns the names in `$name`, `${name}` and `${name:format}`.
fn references(text: &str) -> Vec<String> {
    text.split('$')
        .skip(1)
        .map(|rest| {
            rest.trim_start_matches('{')
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect()
        })
        .filter(|name: &String| !name.is_empty())
        .collect()
}
