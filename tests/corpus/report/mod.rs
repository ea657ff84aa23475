//! The report: a row for each case, and the shares that all rows together must reach.

mod row;
mod text;

use std::process::ExitCode;

use serde::{Deserialize, Serialize};

pub(crate) use row::Row;

/// What a case does.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Kind {
    /// Blocks in the kernel.
    Blocked,
    /// Blocks by using the CPU.
    Running,
    /// Blocks inside `block_in_place`.
    InPlace,
    /// Does not block.
    Innocent,
    /// Does not block, on a machine that is short of CPU time.
    Starved,
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

    /// Prints the shares, and fails if one is too small or a case is poor.
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
            println!("FAILED: {} is reported wrongly too often", row.name);
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
