//! Compares an outcome with the table.

use std::time::Duration;

use super::outcome::{Outcome, Pool, ReportedFinding};
use crate::service::{POOL, WORKERS};
use crate::table::{Place, Row, Verdict};

/// Adds each difference to [`Outcome::mismatches`].
pub fn check(outcome: &mut Outcome, row: &Row, work: Duration) {
    if outcome.unavailable.is_some() {
        return;
    }
    let mut check = Check {
        row,
        work_ms: work.as_secs_f64() * 1e3,
        mismatches: std::mem::take(&mut outcome.mismatches),
    };
    check.replies(outcome);
    check.verdict(outcome);
    check.hello(outcome);
    check.finding(outcome.finding.as_ref());
    check.pool(outcome.pool.as_ref());
    outcome.mismatches = check.mismatches;
}

struct Check<'r> {
    row: &'r Row,
    work_ms: f64,
    mismatches: Vec<String>,
}

impl Check<'_> {
    fn require(&mut self, holds: bool, mismatch: impl FnOnce() -> String) {
        if !holds {
            self.mismatches.push(mismatch());
        }
    }

    fn replies(&mut self, outcome: &Outcome) {
        let requests = &outcome.requests;
        let count = |status| requests.statuses.get(&status).copied().unwrap_or(0);
        self.require(count(200) + count(202) == requests.sent, || {
            let (statuses, failed) = (&requests.statuses, &requests.failed);
            format!("some requests failed: statuses {statuses:?}, errors {failed:?}")
        });
    }

    fn verdict(&mut self, outcome: &Outcome) {
        let (expected, actual) = (self.row.verdict.as_str(), &outcome.verdict);
        self.require(actual == expected, || {
            format!("expected {expected}, got {actual}")
        });
    }

    /// `GET /hello` must have been delayed if the row blocks the executor, and only then.
    fn hello(&mut self, outcome: &Outcome) {
        let hello = &outcome.hello;
        match self.row.verdict {
            Verdict::Blocks { .. } => self.require(hello.longest_ms >= self.work_ms / 2.0, || {
                format!("the longest GET /hello took only {} ms", hello.longest_ms)
            }),
            // A machine short of CPU delays all requests.
            Verdict::Preempted => {}
            _ => self.require(hello.p90_ms <= self.work_ms / 2.0, || {
                format!(
                    "one GET /hello in ten took {} ms or longer, although the row does not block",
                    hello.p90_ms
                )
            }),
        }
    }

    fn finding(&mut self, finding: Option<&ReportedFinding>) {
        let row = self.row;
        let (phase, advice): (_, &[_]) = match row.verdict {
            Verdict::Blocks { phase, advice, .. } => (phase, advice),
            Verdict::InPlace => ("poll", &[]),
            _ => return,
        };
        let Some(finding) = finding else {
            self.mismatches.push("there is no finding".to_owned());
            return;
        };
        self.require(finding.phase == phase, || {
            format!("expected phase {phase}, got {}", finding.phase)
        });
        for words in advice {
            self.require(finding.advice.contains(words), || {
                format!("the advice does not name {words}: {}", finding.advice)
            });
        }
        // The other requests for a lock start when the workers are free again, and may find
        // the lock free.
        let least = match finding.cause.as_str() {
            "lock" => WORKERS,
            _ => row.requests,
        };
        self.require(finding.polls >= least as u64, || {
            format!(
                "expected at least {least} blocking polls, got {}",
                finding.polls
            )
        });
        // A body blocks in two polls, each for half of the work.
        self.require(finding.longest_ms >= 0.4 * self.work_ms, || {
            format!("the longest poll took only {} ms", finding.longest_ms)
        });
        if let Some(Place { file, function, .. }) = row.place {
            let place = finding.place.as_ref();
            let has = |text: Option<&String>, part| text.is_some_and(|text| text.contains(part));
            let is_named = has(place.and_then(|place| place.file.as_ref()), file)
                && has(place.and_then(|place| place.function.as_ref()), function);
            self.require(is_named, || {
                format!("expected a place in {function} in {file}, got {place:?}")
            });
        }
    }

    fn pool(&mut self, pool: Option<&Pool>) {
        let row = self.row;
        if !matches!(row.verdict, Verdict::PoolByRoute | Verdict::Saturated) {
            return;
        }
        let Some(pool) = pool else {
            self.mismatches
                .push("the use of the pool was not reported".to_owned());
            return;
        };
        self.require(pool.tasks == row.requests as u64, || {
            format!("expected {} pool tasks, got {}", row.requests, pool.tasks)
        });
        if row.verdict != Verdict::Saturated {
            return;
        }
        let expected = (POOL as u64, (row.requests - POOL) as u64);
        let actual = (pool.running, pool.queued);
        self.require(actual == expected, || {
            format!("expected {expected:?} running and queued tasks, got {actual:?}")
        });
        self.require(pool.holders.keys().eq([row.route]), || {
            format!("the reported holders of the pool are {:?}", pool.holders)
        });
        // Forty tasks wait for the length of one task, twenty for the length of two.
        let lengths = pool.waits_ms / (5.0 * self.work_ms);
        self.require((75.0..110.0).contains(&lengths), || {
            format!("expected a total wait of 80 task lengths, got {lengths:.1}")
        });
    }
}
