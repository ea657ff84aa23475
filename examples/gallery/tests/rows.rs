//! Every row of the table over real HTTP. `driver/check.rs` compares the outcome with the
//! table; this file also compares the place with the source and with `docs/patterns.md`.

mod support;

use std::path::Path;
use std::time::Duration;

use gallery::driver::{Outcome, ReportedPlace};
use gallery::table::{GROUPS, Needs, Place, Row, Verdict, rows};
use support::Gallery;

const WORK: Duration = Duration::from_millis(400);

#[test]
fn every_row_gets_the_verdict_of_the_table() {
    let gallery = Gallery::start(WORK);
    gallery.until_places_are_named();
    let patterns = project("docs/patterns.md");
    let mut wrong = Vec::new();
    println!("\nrow       verdict              expected             place");
    for row in rows() {
        let outcome = gallery.try_row(row.id);
        println!("{}", line(row, &outcome));
        let mut mismatches = outcome.mismatches.clone();
        match (row.needs, &outcome.unavailable) {
            (Some(needs), Some(text)) => {
                let variable = variable(needs);
                if std::env::var(variable).is_ok() {
                    mismatches.push(format!("unavailable although {variable} is set: {text}"));
                }
            }
            _ => mismatches.extend(texts(row, &outcome, &patterns)),
        }
        wrong.extend(
            mismatches
                .iter()
                .map(|mismatch| format!("row {}: {mismatch}", row.id)),
        );
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn variable(needs: Needs) -> &'static str {
    match needs {
        Needs::Postgres => "DATABASE_URL",
        Needs::Redis => "REDIS_URL",
    }
}

fn line(row: &Row, outcome: &Outcome) -> String {
    let place = outcome
        .finding
        .as_ref()
        .and_then(|found| found.place.as_ref());
    let place = place.map_or(String::new(), |place| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let file = text(&place.file);
        let file = file
            .rsplit_once("gallery/")
            .map_or(&*file, |(_, file)| file);
        let line = place.line.map_or(String::new(), |line| format!(":{line}"));
        format!("{file}{line} {}", text(&place.function))
    });
    let verdict = match &outcome.unavailable {
        Some(_) => "503 with a hint",
        None => &outcome.verdict,
    };
    let line = format!(
        "{:<9} {verdict:<20} {:<20} {place}",
        row.id, outcome.expected
    );
    line.trim_end().to_owned()
}

/// Compares the outcome with the source and the documentation.
fn texts(row: &Row, outcome: &Outcome, patterns: &str) -> Vec<String> {
    let mut mismatches = Vec::new();
    let place = outcome
        .finding
        .as_ref()
        .and_then(|found| found.place.as_ref());
    if let (
        Some(wanted),
        Some(ReportedPlace {
            line: Some(line), ..
        }),
    ) = (&row.place, place)
    {
        let Place { file, code, .. } = wanted;
        let source = project(&format!("examples/gallery/{file}"));
        let actual = source.lines().nth(*line as usize - 1).unwrap_or_default();
        if !actual.contains(code) {
            mismatches.push(format!("expected {code} in {file}:{line}, found: {actual}"));
        }
    }
    let Row {
        id, method, route, ..
    } = row;
    let heading = format!("\n**{id}** `{method} {route}`");
    let section = patterns.split_once(&*heading);
    let section = section.map_or("", |(_, rest)| rest.split("\n**").next().unwrap_or(rest));
    let mut wanted = vec![format!("Verdict: **{}**", outcome.verdict)];
    if let Verdict::Blocks { cause, .. } = row.verdict {
        let report = outcome.text.iter().flat_map(|text| text.lines());
        let is_stable = |line: &&str| {
            // The line at which a computation is interrupted varies.
            line.starts_with("  fix") || (line.starts_with("  at") && cause != "cpu")
        };
        wanted.extend(report.filter(is_stable).map(str::to_owned));
    }
    for text in wanted {
        if !section.contains(&text) {
            mismatches.push(format!(
                "docs/patterns.md lacks {text:?}: generate it again as its introduction describes"
            ));
        }
    }
    mismatches
}

/// Returns the text of a file of the project.
fn project(path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn a_row_without_its_server_responds_503_with_how_to_start_it() {
    let gallery = Gallery::start_with(WORK, |command| {
        command.env_remove("DATABASE_URL").env_remove("REDIS_URL");
    });
    let agent = Gallery::agent();
    let with_needs = rows().filter_map(|row| Some((row, row.needs?)));
    for (row, needs) in with_needs {
        let url = format!("{}{}", gallery.app, row.route);
        let mut response = match row.method {
            "POST" => agent.post(url).send_empty(),
            _ => agent.get(url).call(),
        }
        .unwrap();
        assert_eq!(response.status(), 503, "row {}", row.id);
        let body = response.body_mut().read_to_string().unwrap();
        assert!(body.contains("services.sh start"), "{body}");
        assert!(body.contains(variable(needs)), "{body}");
    }
}

#[test]
fn the_table_has_every_row_exactly_once() {
    let mut ids: Vec<_> = rows().map(|row| row.id).collect();
    for number in 1..=25_u32 {
        let of_number = |id: &&&str| id.split('-').next() == Some(&number.to_string());
        assert!(ids.iter().any(|id| of_number(&id)), "no row {number}");
    }
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
    assert!(
        GROUPS
            .iter()
            .all(|group| group.mistake.ends_with('.') && group.repair.ends_with('.'))
    );
}
