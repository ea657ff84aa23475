//! The README says what the crate does: its tables are those of `names`.

use std::fmt::Write;

use tower_runtime_health::names::{Available, METRICS};

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// What stands between two markers.
fn section<'t>(text: &'t str, name: &str) -> &'t str {
    let from = text.find(&format!("<!-- {name} -->\n")).unwrap() + name.len() + 10;
    let to = text.find(&format!("<!-- /{name} -->")).unwrap();
    &text[from..to]
}

#[test]
fn the_metric_table_is_that_of_the_code() {
    let mut table = String::from("| metric | type | labels | meaning |\n|---|---|---|---|\n");
    for metric in METRICS {
        let note = match metric.available {
            Available::RuntimeMetrics => " ¹",
            Available::TokioUnstable => " ²",
            _ => "",
        };
        let labels = metric.labels.join(", ");
        let help = metric.help.replace('<', "`<").replace('>', ">`");
        let kind = metric.kind.as_str();
        writeln!(
            table,
            "| `{}`{note} | {kind} | {labels} | {help} |",
            metric.name
        )
        .unwrap();
    }
    let readme = read("README.md");
    let written = section(&readme, "metrics");
    assert!(
        written == table,
        "the table in README.md should be\n{table}"
    );
}

#[test]
fn the_buckets_are_those_of_the_code() {
    let readme = read("README.md");
    for name in [
        "poll_duration_seconds",
        "request_duration_seconds",
        "schedule_delay_seconds",
        "blocking_run_seconds",
    ] {
        let metric = METRICS.iter().find(|metric| metric.name == name).unwrap();
        let bounds: Vec<_> = metric.buckets.iter().map(f64::to_string).collect();
        let expected = format!("<!-- buckets {name} -->{}", bounds.join(", "));
        assert!(
            readme.contains(&expected),
            "README.md should have\n{expected}"
        );
    }
}

#[test]
fn no_text_names_a_metric_that_does_not_exist() {
    for path in ["README.md", "dashboards/README.md", "dashboards/RUNBOOK.md"] {
        let text = read(path);
        for (at, prefix) in text.match_indices("runtime_health_") {
            let rest = &text[at + prefix.len()..];
            let end = rest
                .find(|c: char| !c.is_ascii_lowercase() && c != '_')
                .unwrap();
            let name = &rest[..end];
            if text[..at].ends_with("tower_") || name.is_empty() {
                continue;
            }
            let bare = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix))
                .unwrap_or(name);
            let known = METRICS
                .iter()
                .any(|metric| metric.name == name || metric.name == bare);
            assert!(known, "{path} names runtime_health_{name}");
        }
    }
}
