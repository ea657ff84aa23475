//! `docs/patterns.md`, from the table and from what came of each row.

use std::fmt::Write;

use crate::driver::{Driver, Outcome};
use crate::run::Error;
use crate::table::{GROUPS, Group, Row};

/// Tries every row and writes the file to standard output.
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
            if !outcome.differs.is_empty() {
                return Err(format!("row {}: {}", row.id, outcome.differs.join("; ")).into());
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
    write!(text, "\n### {title}\n\n{mistake} {repair}\n")
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
    if let Some(said) = &outcome.text {
        writeln!(text, "{said}")?;
    }
    let answered = outcome.requests.wall_ms / 1e3;
    let innocent = &outcome.innocent;
    writeln!(
        text,
        "{requests} requests, all answered within {answered:.2} s; innocent: median {:.1} ms, longest {:.0} ms",
        innocent.median_ms, innocent.longest_ms
    )?;
    if let (None, Some(bound)) = (&outcome.finding, outcome.polls.longest_at_most_ms) {
        let polls = outcome.polls.count;
        writeln!(text, "{polls} polls, the longest at most {bound} ms")?;
    }
    match &outcome.pool {
        Some(pool) if pool.tasks > 0 => writeln!(
            text,
            "blocking pool: {} tasks by this route, at most {} running and {} queued; they waited {:.2} s and ran {:.2} s in all",
            pool.tasks,
            pool.running,
            pool.queued,
            pool.waits_ms / 1e3,
            pool.runs_ms / 1e3
        )?,
        Some(pool) => {
            if let Some(busy @ 1..) = pool.busy {
                writeln!(
                    text,
                    "blocking pool: {busy} threads at work, none by the wrapper"
                )?;
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
