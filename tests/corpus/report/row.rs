//! One row of the report: what was found in all runs of one case.

use serde::{Deserialize, Serialize};

use super::{Kind, text};
use crate::case::{At, Blocks, Case, Label};
use crate::observed::{Event, Finding};

/// Notes kept for each case.
const NOTES: usize = 4;

/// A row is serialized by the process that runs a case for another one.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(super) kind: Kind,
    pub(super) not_run: Option<String>,
    pub(crate) runs: u64,
    /// Runs that were flagged while the poll was still running.
    pub(super) flagged: u64,
    pub(super) in_time: u64,
    pub(super) cause: u64,
    /// Runs with a stack, and runs with an exact stack.
    pub(super) stacks: u64,
    pub(super) exact: u64,
    /// Of the runs with an exact stack.
    pub(super) line: u64,
    pub(super) function: u64,
    pub(super) call: u64,
    /// Polls that were blamed although the case is innocent.
    pub(super) blamed: u64,
    pub(crate) disturbed: u64,
    pub(super) notes: Vec<String>,
}

impl Row {
    pub(crate) fn new(case: &Case) -> Self {
        let kind = match &case.label {
            Label::Blocks(blocks) if blocks.runs => Kind::Running,
            Label::Blocks(_) => Kind::Blocked,
            Label::InPlace(_) => Kind::InPlace,
            Label::Innocent => Kind::Innocent,
        };
        Self {
            not_run: case.obstacle.clone(),
            ..Self::named(case.name, kind)
        }
    }

    pub(crate) fn named(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            not_run: None,
            runs: 0,
            flagged: 0,
            in_time: 0,
            cause: 0,
            stacks: 0,
            exact: 0,
            line: 0,
            function: 0,
            call: 0,
            blamed: 0,
            disturbed: 0,
            notes: Vec::new(),
        }
    }

    /// A case that could not run, with the reason.
    pub(crate) fn not_run(name: &str, kind: Kind, why: String) -> Self {
        Self {
            not_run: Some(why),
            ..Self::named(name, kind)
        }
    }

    pub(crate) fn note(&mut self, note: String) {
        if self.notes.len() < NOTES && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    pub(crate) fn judge_innocent(&mut self, seen: &[Finding]) {
        for finding in seen {
            if finding.blames_handler() {
                self.blamed += finding.polls;
                self.note(format!("blamed: {}", text::describe(finding)));
            }
        }
    }

    pub(crate) fn judge_in_place(&mut self, seen: &[Finding], at: &At) {
        self.judge_innocent(seen);
        match seen.iter().find(|seen| seen.cause == "block_in_place") {
            Some(finding) => {
                self.cause += 1;
                self.judge_place(finding, at);
            }
            None => self.note(format!("not seen in place: {}", text::describe_all(seen))),
        }
    }

    pub(crate) fn judge_flagged(&mut self, in_time: Option<bool>, events: &[Event]) {
        self.flagged += u64::from(in_time.is_some());
        self.in_time += u64::from(in_time == Some(true));
        if in_time != Some(true) {
            let when = |event: &Event| {
                let running = if event.still_running { "" } else { " (over)" };
                format!(
                    "{} ms, {} late{running}",
                    event.elapsed_ms, event.lateness_ms
                )
            };
            let events: Vec<_> = events.iter().map(when).collect();
            self.note(format!("flagged at [{}]", events.join("; ")));
        }
    }

    pub(crate) fn judge_blocks(&mut self, seen: &[Finding], blocks: &Blocks, call: &str) {
        let right = seen.iter().find(|finding| {
            blocks.causes.contains(&finding.cause.as_str()) && finding.phase == blocks.phase
        });
        let Some(finding) = right else {
            self.note(format!("found {}", text::describe_all(seen)));
            return;
        };
        self.cause += 1;
        self.judge_place(finding, blocks.at);
        if finding.call.contains(call) {
            self.call += 1;
        } else {
            self.note(format!("call is {:?}", finding.call));
        }
    }

    fn judge_place(&mut self, finding: &Finding, at: &At) {
        if finding.captured == 0 {
            self.note(format!("no stack: {}", text::describe(finding)));
            return;
        }
        self.stacks += 1;
        if finding.confidence != "exact" {
            self.note(format!(
                "{}: {}",
                finding.confidence,
                text::describe(finding)
            ));
            return;
        }
        self.exact += 1;
        let line = at.has(&finding.file, finding.line);
        let function = finding.function == at.function;
        self.line += u64::from(line);
        self.function += u64::from(function);
        if !line || !function {
            self.note(format!(
                "{} instead of {}",
                text::describe(finding),
                at.lines()
            ));
        }
    }

    /// For polls that are long only because the machine is short of CPU time.
    pub(crate) fn judge_starved(&mut self, polls: u64, preempted: u64) {
        self.runs = polls;
        self.cause = preempted;
    }

    pub(super) fn blocks(&self) -> bool {
        matches!(self.kind, Kind::Blocked | Kind::Running)
    }

    /// Whether this case is reported wrongly so often that the totals must not hide it.
    pub(super) fn is_poor(&self) -> bool {
        // A single miss does not count, since there may be few runs.
        let poor = |right: u64, of: u64| right * 4 < of * 3 && of - right > 1;
        self.not_run.is_none()
            && !matches!(self.kind, Kind::Innocent | Kind::Starved)
            && (poor(self.cause, self.runs)
                || poor(self.line, self.exact)
                || poor(self.function, self.exact)
                || (self.kind == Kind::Blocked && poor(self.exact, self.runs)))
    }
}
