//! Holds what came of a row against the table.

use std::time::Duration;

use super::outcome::{Found, Outcome, Pool};
use crate::service::{POOL, WORKERS};
use crate::table::{Place, Row, Verdict};

/// Adds to [`Outcome::differs`] whatever is not as it should be.
pub fn judge(outcome: &mut Outcome, row: &Row, work: Duration) {
    if outcome.unavailable.is_some() {
        return;
    }
    let mut judge = Judge {
        row,
        work_ms: work.as_secs_f64() * 1e3,
        differs: std::mem::take(&mut outcome.differs),
    };
    judge.answers(outcome);
    judge.finding(outcome.finding.as_ref());
    judge.pool(outcome.pool.as_ref());
    outcome.differs = judge.differs;
}

struct Judge<'r> {
    row: &'r Row,
    work_ms: f64,
    differs: Vec<String>,
}

impl Judge<'_> {
    fn must(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.differs.push(otherwise());
        }
    }

    fn answers(&mut self, outcome: &Outcome) {
        let requests = &outcome.requests;
        let count = |status| requests.statuses.get(&status).copied().unwrap_or(0);
        self.must(count(200) + count(202) == requests.sent, || {
            let (statuses, failed) = (&requests.statuses, &requests.failed);
            format!("not all were answered well: {statuses:?} {failed:?}")
        });
        let (wanted, seen) = (self.row.verdict.as_str(), &outcome.verdict);
        self.must(seen == wanted, || {
            format!("{wanted} was expected, {seen} seen")
        });
        let innocent = &outcome.innocent;
        match self.row.verdict {
            Verdict::Blocks { .. } => self.must(innocent.longest_ms >= self.work_ms / 2.0, || {
                format!(
                    "somebody innocent waited {} ms at most",
                    innocent.longest_ms
                )
            }),
            // There, whoever wants a processor waits.
            Verdict::Preempted => {}
            _ => self.must(innocent.p90_ms <= self.work_ms / 2.0, || {
                format!(
                    "one innocent request of ten waited {} ms or more",
                    innocent.p90_ms
                )
            }),
        }
    }

    fn finding(&mut self, found: Option<&Found>) {
        let row = self.row;
        let (phase, advice): (_, &[_]) = match row.verdict {
            Verdict::Blocks { phase, advice, .. } => (phase, advice),
            Verdict::InPlace => ("poll", &[]),
            _ => return,
        };
        let Some(found) = found else {
            self.differs.push("no finding".to_owned());
            return;
        };
        self.must(found.phase == phase, || {
            format!("phase {phase} was expected, {} seen", found.phase)
        });
        for words in advice {
            self.must(found.advice.contains(words), || {
                format!("the advice does not name {words}: {}", found.advice)
            });
        }
        // Of those that wait for a lock, who comes when the workers are free again may find
        // it free, too.
        let least = match found.cause.as_str() {
            "lock" => WORKERS,
            _ => row.requests,
        };
        self.must(found.polls >= least as u64, || {
            format!("{} blocking polls, not {least}", found.polls)
        });
        // A body blocks in two polls.
        self.must(found.longest_ms >= 0.4 * self.work_ms, || {
            format!("the longest poll took {} ms", found.longest_ms)
        });
        if let Some(Place { file, function, .. }) = row.place {
            let place = found.place.as_ref();
            let has = |text: Option<&String>, part| text.is_some_and(|text| text.contains(part));
            let is_there = has(place.and_then(|place| place.file.as_ref()), file)
                && has(place.and_then(|place| place.function.as_ref()), function);
            self.must(is_there, || {
                format!("{function} in {file} was expected, {place:?} named")
            });
        }
    }

    fn pool(&mut self, pool: Option<&Pool>) {
        let row = self.row;
        if !matches!(row.verdict, Verdict::PoolByRoute | Verdict::Saturated) {
            return;
        }
        let Some(pool) = pool else {
            self.differs.push("the pool was not seen".to_owned());
            return;
        };
        self.must(pool.tasks == row.requests as u64, || {
            format!("{} requests, {} pool tasks", row.requests, pool.tasks)
        });
        if row.verdict != Verdict::Saturated {
            return;
        }
        let expected = (POOL as u64, (row.requests - POOL) as u64);
        self.must((pool.running, pool.queued) == expected, || {
            let (running, queued) = (pool.running, pool.queued);
            format!("{expected:?} running and queued were expected, {running} and {queued} seen")
        });
        self.must(pool.holders.keys().eq([row.route]), || {
            format!("the pool is said to be held by {:?}", pool.holders)
        });
        // Forty wait for the length of one task, twenty for two.
        let lengths = pool.waits_ms / (5.0 * self.work_ms);
        self.must((75.0..110.0).contains(&lengths), || {
            format!("they waited {lengths:.1} task lengths in all, not 80")
        });
    }
}
