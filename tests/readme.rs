//! The README and the pages of the guide are true: their tables are those of the code, their
//! links lead somewhere, and the finding they show is what the crate logs.
//!
//! A binary of its own: it sets the process's log subscriber.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use tower_runtime_health::Cause;
use tower_runtime_health::names::{Available, Kind, METRICS};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{ROOT}/{path}"))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The pages of the guide: paths from the root of the tree.
fn pages() -> Vec<String> {
    let mut pages: Vec<_> = std::fs::read_dir(format!("{ROOT}/docs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".md") && name != "links.md")
        .map(|name| format!("docs/{name}"))
        .collect();
    pages.sort();
    pages
}

/// The text between two markers.
#[track_caller]
fn section<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let start = text.find(from).unwrap_or_else(|| panic!("no {from}")) + from.len();
    let length = text[start..]
        .find(to)
        .unwrap_or_else(|| panic!("no {to} after {from}"));
    &text[start..start + length]
}

/// The words in backquotes in the first column of the tables in a text.
fn first_column(text: &str) -> BTreeSet<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("| "))
        .filter_map(|row| row.split(" | ").next())
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect()
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
    let page = read("docs/metrics.md");
    let written = section(&page, "<!-- metrics -->\n", "<!-- /metrics -->");
    assert!(
        written == table,
        "the table in docs/metrics.md should be\n{table}"
    );
}

#[test]
fn the_buckets_are_those_of_the_code() {
    let page = read("docs/metrics.md");
    let rows = section(&page, "\n## Buckets\n", "\n## ");
    for metric in METRICS {
        if metric.kind != Kind::Histogram {
            continue;
        }
        let name = format!("`{}`", metric.name);
        let row = rows.lines().find(|row| row.contains(&name));
        let bounds: Vec<_> = metric.buckets.iter().map(f64::to_string).collect();
        let expected = format!(" | {} |", bounds.join(", "));
        assert!(
            row.is_some_and(|row| row.ends_with(&expected)),
            "docs/metrics.md, Buckets, should have a row with {name}{expected}"
        );
    }
}

#[test]
fn every_cause_has_a_row() {
    let page = read("docs/findings.md");
    let causes = section(&page, "\n## Causes\n", "\n## ");
    let written: Vec<_> = causes
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|word| *word != "cause")
        .collect();
    let all: Vec<_> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
    assert_eq!(written, all);
}

#[test]
fn every_feature_has_a_row() {
    let manifest = read("Cargo.toml");
    let features: BTreeSet<_> = section(&manifest, "\n[features]\n", "\n[")
        .lines()
        .filter(|line| !line.starts_with([' ', '#', ']']))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .filter(|name| *name != "default")
        .collect();
    let page = read("docs/options.md");
    let written = first_column(section(&page, "\n## Features\n", "\nWithout"));
    assert_eq!(written, features);
    let readme = read("README.md");
    let written = section(&readme, "\n## Features\n", "\n## ");
    for feature in features {
        assert!(
            written.contains(&format!("`{feature}`")),
            "README.md, Features: {feature}"
        );
    }
}

#[test]
fn no_text_names_a_metric_that_does_not_exist() {
    let others = ["README.md", "dashboards/README.md", "dashboards/RUNBOOK.md"];
    for path in others.map(String::from).into_iter().chain(pages()) {
        let text = read(&path);
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

#[test]
fn the_first_screen_has_at_most_forty_lines() {
    let readme = read("README.md");
    let (screen, rest) = readme
        .split_once("\n## Run it\n")
        .expect("the heading of the two commands");
    let lines = screen.lines().count();
    assert!(lines <= 40, "{lines} lines before the two commands");
    for needed in ["```text\nWARN ", "cargo add ", ".start()?", ".layer()"] {
        assert!(screen.contains(needed), "the first screen has no {needed}");
    }
    let commands = section(rest, "", "\n## ");
    for command in ["cargo run --release --example demo\n", "cargo test\n"] {
        assert!(commands.contains(command), "no {command}");
    }
}

/// `[label]: target` lines.
fn definitions(text: &str) -> Vec<(&str, &str)> {
    text.lines()
        .filter_map(|line| line.strip_prefix('[')?.split_once("]: "))
        .collect()
}

/// Labels of `[text][label]`, and targets of `[text](target)`, outside of code.
fn links(text: &str) -> (BTreeSet<&str>, Vec<&str>) {
    let mut labels = BTreeSet::new();
    let mut targets = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        in_code ^= line.starts_with("```");
        if in_code {
            continue;
        }
        let after = |open| line.split(open).skip(1);
        labels.extend(after("][").filter_map(|rest| rest.split(']').next()));
        targets.extend(after("](").filter_map(|rest| rest.split(')').next()));
    }
    (labels, targets)
}

/// Whether `cargo package` takes a file of the tree along.
fn is_packaged(path: &str) -> bool {
    let manifest = read("Cargo.toml");
    let list = section(&manifest, "\ninclude = [", "]");
    let top = path.split('/').next().unwrap();
    list.contains(&format!("\"/{top}\"")) && Path::new(ROOT).join(path).is_file()
}

/// On the registry's page no relative link works, so the README has only absolute ones.
#[test]
fn every_link_of_the_readme_leads_to_a_page_or_a_packaged_file() {
    const PAGE: &str = "https://docs.rs/tower-runtime-health/latest/tower_runtime_health/docs/";
    const FILE: &str = "https://docs.rs/crate/tower-runtime-health/latest/source/";
    let readme = read("README.md");
    let library = read("src/lib.rs");
    let (labels, targets) = links(&readme);
    assert!(targets.is_empty(), "use labels for {targets:?}");
    let definitions = definitions(&readme);
    let defined: BTreeSet<_> = definitions.iter().map(|(label, _)| *label).collect();
    assert_eq!(labels, defined, "labels used, labels defined");
    for (label, target) in definitions {
        if let Some(page) = target.strip_prefix(PAGE) {
            let page = page.strip_suffix('/').expect("a directory");
            let row = format!("        {page} = \"../");
            assert_eq!(page, label);
            assert!(library.contains(&row), "src/lib.rs has no page {page}");
        } else if let Some(file) = target.strip_prefix(FILE) {
            assert!(is_packaged(file), "{file} is not in the package");
        } else {
            panic!("{label} leads to {target}");
        }
    }
}

/// In the tree they lead from file to file. On docs.rs `docs/links.md` replaces their targets.
#[test]
fn every_link_of_a_page_works_in_the_tree_and_in_rustdoc() {
    let library = read("src/lib.rs");
    let shared = read("docs/links.md");
    let in_rustdoc = definitions(&shared);
    for path in pages() {
        assert!(
            library.contains(&format!(" = \"../{path}\";")),
            "src/lib.rs does not include {path}"
        );
        let text = read(&path);
        let (labels, targets) = links(&text);
        for target in targets {
            assert!(target.starts_with("https://"), "{path}: {target}");
        }
        let definitions = definitions(&text);
        let defined: BTreeSet<_> = definitions.iter().map(|(label, _)| *label).collect();
        assert_eq!(labels, defined, "{path}: labels used, labels defined");
        for (label, target) in definitions {
            let file = Path::new(ROOT).join("docs").join(target);
            assert!(file.is_file(), "{path}: {label} leads to {target}");
            let target = in_rustdoc.iter().find(|(known, _)| *known == label);
            assert!(target.is_some(), "{path}: {label} is not in docs/links.md");
        }
    }
    for (label, target) in in_rustdoc {
        if let Some((_, file)) = target.split_once("/latest/source/") {
            assert!(is_packaged(file), "{file} is not in the package");
        } else {
            assert_eq!(target, format!("crate::docs::{label}"));
        }
    }
}

/// Where stacks can be read: elsewhere a finding has no place.
#[cfg(all(
    feature = "capture",
    feature = "server",
    target_os = "linux",
    target_arch = "x86_64"
))]
mod finding {
    use std::collections::BTreeSet;
    use std::io;
    use std::sync::{Mutex, PoisonError};
    use std::time::{Duration, Instant};

    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt;
    use tower_runtime_health::RuntimeHealth;

    use super::{first_column, read, section};

    static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

    struct Log;

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
            log.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// As in `examples/axum.rs`.
    async fn report() -> &'static str {
        std::thread::sleep(Duration::from_millis(50));
        "done\n"
    }

    /// Logs a finding of `report`, and returns its line and its JSON.
    #[allow(
        clippy::disallowed_methods,
        reason = "a test's deadline, not a figure of the crate"
    )]
    fn logged() -> (String, serde_json::Value) {
        tracing_subscriber::fmt()
            .without_time()
            .with_ansi(false)
            .with_writer(|| Log)
            .init();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let health = RuntimeHealth::builder()
            .observe_runtime(runtime.handle(), "main")
            .log_interval(Duration::ZERO)
            .capture_interval(Duration::ZERO)
            .start()
            .unwrap();
        let router = Router::new()
            .route("/report", get(report))
            .layer(health.layer());
        // A place needs symbols, which take their time to be read in a debug build.
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let request = http::Request::get("/report").body(Body::empty()).unwrap();
            let request = runtime.spawn(router.clone().oneshot(request));
            let response = runtime.block_on(request).unwrap().unwrap();
            assert_eq!(response.status(), 200);
            let log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
            let text = String::from_utf8(log.clone()).unwrap();
            // On a busy machine some are logged when the poll has ended.
            let wanted = ["cause=\"sleep\"", "still_running=true", " at=", " stack="];
            let line = text
                .lines()
                .find(|line| wanted.iter().all(|part| line.contains(part)));
            let findings = health.findings();
            let finding = findings.iter().find(|finding| finding.place.is_some());
            if let (Some(line), Some(finding)) = (line, finding) {
                return (
                    line.trim().to_owned(),
                    serde_json::to_value(finding).unwrap(),
                );
            }
            assert!(
                Instant::now() < deadline,
                "no finding with a place in\n{text}"
            );
        }
    }

    /// On one line, and without what differs from run to run.
    fn bare(event: &str) -> String {
        let mut bare = event.split_whitespace().collect::<Vec<_>>().join(" ");
        for here in ["tests/readme.rs", "readme::finding::report"] {
            let there = if here.ends_with(".rs") {
                "examples/axum.rs"
            } else {
                "axum::report"
            };
            bare = bare.replace(here, there);
        }
        bare.retain(|c| !c.is_ascii_digit());
        bare
    }

    #[test]
    fn the_texts_show_the_finding_as_it_is_logged() {
        let (event, json) = logged();
        let readme = read("README.md");
        let shown = section(&readme, "```text\nWARN ", "```");
        let expected = bare(event.trim_start_matches("WARN "));
        assert!(
            expected.starts_with(&bare(shown)),
            "README.md shows\n{shown}\nbut logged is\n{event}"
        );

        let page = read("docs/findings.md");
        let events = section(&page, "\n## Log events\n", "\n## ");
        let shown = section(events, "```text\nWARN ", "```");
        assert_eq!(bare(shown), expected, "docs/findings.md, Log events");

        // A value may contain spaces, but no word of one is followed by `=`.
        let fields: BTreeSet<_> = event
            .split_whitespace()
            .filter_map(|word| word.split_once('='))
            .map(|(name, _)| name)
            .collect();
        let mut documented = first_column(events);
        assert!(documented.remove("suppressed_events"));
        assert_eq!(documented, fields, "docs/findings.md, Log events");

        let fields: BTreeSet<_> = json
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let documented = first_column(section(&page, "\nA finding:\n", "\n## "));
        assert_eq!(documented, fields, "docs/findings.md, JSON");
    }

    #[test]
    fn the_line_shown_is_the_line_that_sleeps() {
        let example = read("examples/axum.rs");
        let sleeps = example
            .lines()
            .position(|line| line.contains("std::thread::sleep("))
            .unwrap();
        let place = format!("at=examples/axum.rs:{} in axum::report ", sleeps + 1);
        for path in ["README.md", "docs/findings.md"] {
            assert!(read(path).contains(&place), "{path} should show {place}");
        }
    }
}
