//! Rows and findings as text.

use super::{Kind, Row};
use crate::observed::Finding;

impl Row {
    /// Shows on a terminal which case has just run.
    pub(super) fn print_progress(&self) {
        use std::io::IsTerminal;
        if std::io::stderr().is_terminal() {
            eprint!("\r\x1b[2K{}\r", self.name);
        }
    }

    pub(super) fn print(&self) {
        let name = &self.name;
        if let Some(why) = &self.not_run {
            println!("{name:<42} not run: {why}");
            return;
        }
        let of = |count: u64, all: u64| format!("{count}/{all}");
        let cells = match self.kind {
            Kind::Innocent | Kind::Starved => [
                of(self.blamed, self.runs),
                "-".into(),
                match self.kind {
                    Kind::Starved => of(self.cause, self.runs),
                    _ => "-".into(),
                },
                "-".into(),
                "-".into(),
                "-".into(),
            ],
            Kind::InPlace => [
                of(self.blamed, self.runs),
                "-".into(),
                of(self.cause, self.runs),
                of(self.line, self.exact),
                of(self.function, self.exact),
                of(self.exact, self.stacks),
            ],
            Kind::Blocked | Kind::Running => [
                of(self.flagged, self.runs),
                of(self.in_time, self.flagged),
                of(self.cause, self.runs),
                of(self.line, self.exact),
                of(self.function, self.exact),
                of(self.exact, self.stacks),
            ],
        };
        print!("{name:<42}");
        for cell in cells {
            print!(" {cell:>8}");
        }
        println!(" {:>9}", self.disturbed);
        for note in &self.notes {
            println!("      {note}");
        }
    }
}

pub(super) fn describe(finding: &Finding) -> String {
    let place = match finding.line {
        0 => finding.function.clone(),
        line => format!("{}:{line} in {}", finding.file, finding.function),
    };
    let times = finding
        .times
        .map_or(String::new(), |[cpu, waiting, blocked]| {
            format!(", {cpu:.1} on cpu, {waiting:.1} waiting, {blocked:.1} blocked")
        });
    format!(
        "{} {} [{place}] {} ×{}{times}",
        finding.cause, finding.phase, finding.call, finding.polls
    )
}

pub(super) fn describe_all(seen: &[Finding]) -> String {
    let words: Vec<_> = seen.iter().map(describe).collect();
    if words.is_empty() {
        "nothing".to_owned()
    } else {
        words.join("; ")
    }
}
