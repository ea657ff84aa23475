//! One row for each case, the table of them, and what they must add up to.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::case::{At, Blocks, Case, Label};
use crate::observed::{Event, Finding};

/// Notes kept for each case.
const NOTES: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Blocked in the kernel.
    Blocked,
    /// On the processor.
    Running,
    InPlace,
    Innocent,
    /// Innocent, on a machine short of processors.
    Starved,
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    kind: Kind,
    not_run: Option<String>,
    pub(crate) runs: u64,
    /// While it was running.
    flagged: u64,
    in_time: u64,
    cause: u64,
    /// Runs with a stack, and those whose stack is exact.
    stacks: u64,
    exact: u64,
    /// Of the exact ones.
    line: u64,
    function: u64,
    call: u64,
    /// Blamed although innocent.
    blamed: u64,
    pub(crate) disturbed: u64,
    notes: Vec<String>,
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

    /// A case that could not run, and why.
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
                self.note(format!("blamed: {}", words(finding)));
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
            None => self.note(format!("not seen in place: {}", all_words(seen))),
        }
    }

    pub(crate) fn judge_flagged(&mut self, in_time: Option<bool>, events: &[Event]) {
        self.flagged += u64::from(in_time.is_some());
        self.in_time += u64::from(in_time == Some(true));
        if in_time != Some(true) {
            let when = |event: &Event| {
                let running = if event.still_running { "" } else { " (over)" };
                format!("{} ms, {} late{running}", event.elapsed_ms, event.late_ms)
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
            self.note(format!("found {}", all_words(seen)));
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
            self.note(format!("no stack: {}", words(finding)));
            return;
        }
        self.stacks += 1;
        if finding.confidence != "exact" {
            self.note(format!("{}: {}", finding.confidence, words(finding)));
            return;
        }
        self.exact += 1;
        let line = at.has(&finding.file, finding.line);
        let function = finding.function == at.function;
        self.line += u64::from(line);
        self.function += u64::from(function);
        if !line || !function {
            self.note(format!("{} instead of {}", words(finding), at.lines()));
        }
    }

    /// For polls over the threshold that the machine is to blame for.
    pub(crate) fn judge_starved(&mut self, polls: u64, preempted: u64) {
        self.runs = polls;
        self.cause = preempted;
    }

    /// For the process that started this one.
    pub(crate) fn to_json(&self) -> Value {
        json!([
            self.name,
            self.kind as u8,
            self.not_run,
            self.runs,
            self.flagged,
            self.in_time,
            self.cause,
            self.stacks,
            self.exact,
            self.line,
            self.function,
            self.call,
            self.blamed,
            self.disturbed,
            self.notes
        ])
    }

    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let count = |at: usize| value[at].as_u64();
        let kinds = [
            Kind::Blocked,
            Kind::Running,
            Kind::InPlace,
            Kind::Innocent,
            Kind::Starved,
        ];
        let kind = kinds.get(count(1)? as usize)?;
        Some(Self {
            not_run: value[2].as_str().map(str::to_owned),
            runs: count(3)?,
            flagged: count(4)?,
            in_time: count(5)?,
            cause: count(6)?,
            stacks: count(7)?,
            exact: count(8)?,
            line: count(9)?,
            function: count(10)?,
            call: count(11)?,
            blamed: count(12)?,
            disturbed: count(13)?,
            notes: serde_json::from_value(value[14].clone()).ok()?,
            ..Self::named(value[0].as_str()?, *kind)
        })
    }

    fn blocks(&self) -> bool {
        matches!(self.kind, Kind::Blocked | Kind::Running)
    }

    /// A kind of blocking that is told wrongly must not hide in the total.
    fn is_poor(&self) -> bool {
        // One miss is none yet, where there are few runs.
        let poor = |right: u64, of: u64| right * 4 < of * 3 && of - right > 1;
        self.not_run.is_none()
            && !matches!(self.kind, Kind::Innocent | Kind::Starved)
            && (poor(self.cause, self.runs)
                || poor(self.line, self.exact)
                || poor(self.function, self.exact)
                || (self.kind == Kind::Blocked && poor(self.exact, self.runs)))
    }

    fn print(&self) {
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

fn words(finding: &Finding) -> String {
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

fn all_words(seen: &[Finding]) -> String {
    let words: Vec<_> = seen.iter().map(words).collect();
    if words.is_empty() {
        "nothing".to_owned()
    } else {
        words.join("; ")
    }
}

#[derive(Default)]
pub(crate) struct Report(Vec<Row>);

impl Report {
    pub(crate) fn add(&mut self, row: Row) {
        row.print_progress();
        self.0.push(row);
    }

    pub(crate) fn extend(&mut self, rows: impl IntoIterator<Item = Row>) {
        rows.into_iter().for_each(|row| self.add(row));
    }

    pub(crate) fn print(&self) {
        println!(
            "{:<42} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9}",
            "case", "flagged", "in time", "cause", "line", "function", "exact", "disturbed"
        );
        self.0.iter().for_each(Row::print);
    }

    /// What the rows must add up to.
    pub(crate) fn verdict(&self, all_must_run: bool) -> ExitCode {
        let sum = |of: fn(&Row) -> bool, what: fn(&Row) -> u64| -> u64 {
            self.0.iter().filter(|row| of(row)).map(what).sum()
        };
        let runs = sum(Row::blocks, |row| row.runs);
        let exact = sum(Row::blocks, |row| row.exact);
        let blocked = |row: &Row| row.kind == Kind::Blocked;
        let starved = |row: &Row| row.kind == Kind::Starved;
        let shares = [
            (
                "flagged while still running",
                sum(Row::blocks, |row| row.flagged),
                runs,
                100,
            ),
            (
                "flagged in time",
                sum(Row::blocks, |row| row.in_time),
                runs,
                100,
            ),
            ("cause right", sum(Row::blocks, |row| row.cause), runs, 98),
            (
                "file and line right, of exact stacks",
                sum(Row::blocks, |row| row.line),
                exact,
                98,
            ),
            (
                "function right, of exact stacks",
                sum(Row::blocks, |row| row.function),
                exact,
                98,
            ),
            (
                "call in words right",
                sum(Row::blocks, |row| row.call),
                runs,
                98,
            ),
            (
                "exact, of blocked ones",
                sum(blocked, |row| row.exact),
                sum(blocked, |row| row.runs),
                95,
            ),
            (
                "preempted, of what starved",
                sum(starved, |row| row.cause),
                sum(starved, |row| row.runs),
                95,
            ),
        ];
        let mut failed = false;
        println!();
        for (what, right, of, percent) in shares {
            let good = right * 100 >= of * percent;
            failed |= !good;
            let share = right as f64 * 100.0 / of.max(1) as f64;
            let verdict = if good { "" } else { "   FAILED" };
            println!("{what:<42} {share:>6.2} % of {of:>4}, at least {percent} %{verdict}");
        }
        for (what, count) in [
            ("disturbed", sum(|_| true, |row| row.disturbed)),
            (
                "blamed although innocent",
                sum(|row| !row.blocks(), |row| row.blamed),
            ),
        ] {
            failed |= count > 0;
            let verdict = if count == 0 { "" } else { "   FAILED" };
            println!("{what:<42} {count:>6}, none allowed{verdict}");
        }
        for row in self.0.iter().filter(|row| row.is_poor()) {
            failed = true;
            println!("FAILED: {} is told wrongly too often", row.name);
        }
        for row in &self.0 {
            if let Some(why) = &row.not_run {
                failed |= all_must_run;
                println!("not run: {}: {why}", row.name);
            }
        }
        println!(
            "{}",
            if failed {
                "corpus: FAILED"
            } else {
                "corpus: ok"
            }
        );
        if failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

impl Row {
    /// That it goes on, for who watches.
    fn print_progress(&self) {
        use std::io::IsTerminal;
        if std::io::stderr().is_terminal() {
            eprint!("\r\x1b[2K{}\r", self.name);
        }
    }
}
