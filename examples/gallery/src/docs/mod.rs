//! Generates `docs/patterns.md` from the table and the outcome of each row.

use std::fmt::Write;

use crate::driver::{Driver, Outcome};
use crate::run::Error;
use crate::table::{GROUPS, Group, Row};

/// The width of the documentation's lines.
const WIDTH: usize = 110;

/// Tries every row and writes the page to standard output.
pub async fn write(driver: &Driver) -> Result<(), Error> {
    let mut text = String::from(include_str!("head.md"));
    for group in GROUPS {
        heading(&mut text, group)?;
        for row in group.rows {
            eprintln!("gallery: row {}", row.id);
            let outcome = driver.try_row(row).await.ok_or("the driver has ended")?;
            if let Some(hint) = &outcome.unavailable {
                return Err(format!("row {}: {hint}", row.id).into());
            }
            if !outcome.mismatches.is_empty() {
                return Err(format!("row {}: {}", row.id, outcome.mismatches.join("; ")).into());
            }
            section(&mut text, row, &outcome)?;
        }
    }
    print!("{text}");
    Ok(())
}

fn heading(text: &mut String, group: &Group) -> std::fmt::Result {
    let Group {
        title,
        mistake,
        repair,
        ..
    } = group;
    let prose = wrapped(&format!("{mistake} {repair}"));
    write!(text, "\n### {title}\n\n{prose}\n")
}

/// Breaks a paragraph into lines.
fn wrapped(paragraph: &str) -> String {
    let mut text = String::new();
    let mut column = 0;
    for word in paragraph.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > WIDTH {
            text.push('\n');
            column = 0;
        } else if column > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text
}

fn section(text: &mut String, row: &Row, outcome: &Outcome) -> std::fmt::Result {
    let Row {
        id,
        method,
        route,
        does,
        requests,
        ..
    } = row;
    let verdict = &outcome.verdict;
    write!(
        text,
        "\n**{id}** `{method} {route}`: {does}. Verdict: **{verdict}**.\n\n```text\n"
    )?;
    if let Some(report) = &outcome.text {
        writeln!(text, "{report}")?;
    }
    let answered = outcome.requests.wall_ms / 1e3;
    let hello = &outcome.hello;
    writeln!(
        text,
        "{requests} requests, answered within {answered:.2} s; GET /hello meanwhile: median {:.1} ms, longest {:.0} ms",
        hello.median_ms, hello.longest_ms
    )?;
    if let (None, Some(bound)) = (&outcome.finding, outcome.polls.longest_at_most_ms) {
        let polls = outcome.polls.count;
        writeln!(text, "{polls} polls, the longest at most {bound} ms")?;
    }
    match &outcome.pool {
        Some(pool) if pool.tasks > 0 => writeln!(
            text,
            "blocking pool: {} tasks of this route, at most {} running and {} queued; total wait {:.2} s, total run time {:.2} s",
            pool.tasks,
            pool.running,
            pool.queued,
            pool.waits_ms / 1e3,
            pool.runs_ms / 1e3
        )?,
        Some(pool) => {
            if let Some(busy @ 1..) = pool.busy {
                writeln!(text, "blocking pool: {busy} busy threads, no wrapped task")?;
            }
        }
        None => {}
    }
    if let Some(took) = outcome.extractor_us {
        writeln!(text, "the extractor took {took:.1} µs (median)")?;
    }
    text.push_str("```\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{WIDTH, wrapped};

    #[test]
    fn a_paragraph_is_broken_only_where_a_word_does_not_fit() {
        let long = "x".repeat(WIDTH - 2);
        assert_eq!(wrapped("a short one"), "a short one");
        assert_eq!(wrapped(&format!("{long} a b")), format!("{long} a\nb"));
        assert_eq!(wrapped(&format!("a {long}")), format!("a {long}"));
        assert_eq!(wrapped(&format!("ab {long}")), format!("ab\n{long}"));
    }
}
