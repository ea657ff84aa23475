//! Each check rejects a file that breaks it.

use serde_json::{Value, json};

use super::generated::{RUNBOOK, all, known, problems_of, uids};
use super::links;
use crate::config::Config;
use crate::{dashboards, rules};

/// Applies one change at a time to a correct dashboard.
#[test]
fn a_broken_dashboard_is_rejected() {
    let all = all();
    let uids = uids(&all);
    let uids: Vec<_> = uids.iter().map(String::as_str).collect();
    let route = &all[1].1;
    let panel = 1;
    let bad: [(&str, Value, &str); 22] = [
        ("/panels/1/title", json!(""), "no title"),
        ("/panels/1/description", json!(""), "no description"),
        ("/panels/1/description", json!("Requests."), "what is good"),
        (
            "/panels/1/datasource/uid",
            json!("abc"),
            "not the selected data source",
        ),
        ("/panels/1/targets", json!([]), "no query"),
        (
            "/panels/1/targets/0/datasource/type",
            json!("loki"),
            "selected Prometheus",
        ),
        (
            "/panels/1/fieldConfig/defaults/unit",
            json!("parsecs"),
            "unit",
        ),
        ("/panels/1/targets/0/expr", json!("sum("), "sum("),
        (
            "/panels/1/targets/0/expr",
            json!("sum(up{job=~\"$job\"})"),
            "not selected by $instance",
        ),
        (
            "/panels/1/targets/0/expr",
            json!("sum(up{job=\"a\"})"),
            "not selected by $job",
        ),
        (
            "/panels/1/targets/0/expr",
            json!("rate(runtime_health_requests_total[5m])"),
            "not $__rate_interval",
        ),
        (
            "/panels/1/targets/0/expr",
            json!("rate(runtime_health_requests_total[$__range])"),
            "a rate over $__range",
        ),
        (
            "/panels/1/targets/0/expr",
            json!("up{job=\"$jobs\"}"),
            "$jobs is not defined",
        ),
        (
            "/panels/1/targets/0/legendFormat",
            json!("{{route}}"),
            "no such label",
        ),
        (
            "/panels/3/fieldConfig/defaults/thresholds/steps/1/value",
            json!(0.3),
            "0.3 is not a bound",
        ),
        ("/panels/2/gridPos/x", json!(0), "overlap"),
        ("/templating/list/0/query", json!("loki"), "data source"),
        ("/templating/list/3/refresh", json!(1), "not refreshed"),
        (
            "/templating/list/4/query",
            json!("label_values(up, instance)"),
            "does not follow job",
        ),
        ("/templating/list/1/allValue", json!(".+"), "All of cluster"),
        ("/links/0/url", json!("/d/nothing"), "not a dashboard"),
        ("/editable", json!(true), "is editable"),
    ];
    assert!(route["panels"][panel]["type"] == "stat");
    for (path, value, wrong) in bad {
        let mut dashboard = route.clone();
        *dashboard
            .pointer_mut(path)
            .unwrap_or_else(|| panic!("{path}")) = value;
        let problems = problems_of(&dashboard, &uids);
        assert!(
            problems.iter().any(|p| p.contains(wrong)),
            "{path}: {wrong}: {problems:?}"
        );
    }
    let mut unused = route.clone();
    unused["templating"]["list"][5]["name"] = json!("path");
    let problems = problems_of(&unused, &uids).join(" ");
    assert!(problems.contains("$path is not used") && problems.contains("$route is not defined"));
}

#[test]
fn a_broken_alert_is_rejected() {
    let alerts = rules::alerting(&Config::default());
    let uid = [dashboards::INSTANCE];
    for (path, value, wrong) in [
        ("/for", json!("0s"), "no `for`"),
        ("/labels/severity", json!("bad"), "no valid severity"),
        (
            "/annotations/summary",
            json!("{{ $labels.route }}."),
            "no such label",
        ),
        ("/annotations/description", json!("x"), "not a sentence"),
        (
            "/annotations/runbook_url",
            json!("https://a/b#c"),
            "no section",
        ),
        ("/annotations/dashboard_uid", json!("x"), "does not exist"),
        ("/expr", json!("instance:nothing:sum > 1"), "does not exist"),
    ] {
        let mut rule = alerts["groups"][0]["rules"][0].clone();
        *rule.pointer_mut(path).unwrap() = value;
        let problems = links::of_alert(&known(), &rule, &uid, RUNBOOK);
        assert!(
            problems.iter().any(|p| p.contains(wrong)),
            "{path}: {problems:?}"
        );
    }
}
