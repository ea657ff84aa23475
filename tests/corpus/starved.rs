//! Row 21: an innocent handler on a machine that is short of CPU time.

use std::hint::black_box;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use axum::routing::get;

use crate::case::{Corpus, Side, real_await};
use crate::drive::Driver;
use crate::observed;
use crate::report::{Kind, Row};

pub(crate) const NAME: &str = "21 short work beside six hogs";
const PATH: &str = "/starved";
const HOGS: usize = 6;

/// How many polls over the threshold the case waits for, and how long. On average two in a hundred
/// are not recognised, in bursts. With 120 polls, more than five in a hundred would not be
/// recognised in one run of 24.
const ENOUGH: u64 = 360;
const LONGEST: Duration = Duration::from_secs(60);

pub(crate) fn add(corpus: &mut Corpus) {
    corpus.route(PATH, get(handler));
}

/// Less than half a threshold of work, then an await, then the same again.
async fn handler() -> &'static str {
    real_await().await;
    work(Duration::from_millis(4));
    real_await().await;
    work(Duration::from_millis(4));
    "ok"
}

/// Work that takes this long on an idle CPU. Its speed is measured once, before the hogs start.
fn work(time: Duration) {
    let rounds = rounds_in_a_millisecond() * time.as_millis() as u64;
    black_box(compute(rounds));
}

#[inline(never)]
fn compute(rounds: u64) -> u64 {
    (0..rounds).fold(1, |state, round| black_box(state.wrapping_mul(31) ^ round))
}

fn rounds_in_a_millisecond() -> u64 {
    static ROUNDS: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    *ROUNDS.get_or_init(|| {
        const ROUNDS: u64 = 100_000;
        let measure = || {
            let started = Instant::now();
            black_box(compute(ROUNDS));
            started.elapsed()
        };
        let shortest = (0..20).map(|_| measure()).min().unwrap_or_default();
        ROUNDS * 1_000_000 / (shortest.as_nanos() as u64).max(1)
    })
}

/// Each poll over the threshold must be attributed to CPU contention.
pub(crate) fn run(driver: &Driver) -> Row {
    let mut row = Row::named(NAME, Kind::Starved);
    rounds_in_a_millisecond();
    let before = driver.findings(Side::Router, PATH);
    let hogs: Vec<_> = (0..HOGS).map(|_| Hog::start()).collect();
    let started = Instant::now();
    let found = || observed::difference(&before, &driver.findings(Side::Router, PATH));
    while found().iter().map(|seen| seen.polls).sum::<u64>() < ENOUGH && started.elapsed() < LONGEST
    {
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope
                    .spawn(|| (0..5).for_each(|_| drop(driver.request(Side::Router, "GET", PATH))));
            }
        });
    }
    drop(hogs);
    std::thread::sleep(Duration::from_millis(200));
    let found = found();
    let polls = |cause: fn(&str) -> bool| -> u64 {
        let found = found.iter().filter(|finding| cause(&finding.cause));
        found.map(|finding| finding.polls).sum()
    };
    row.judge_innocent(&found);
    row.judge_starved(polls(|_| true), polls(|cause| cause == "preempted"));
    for finding in &found {
        row.note(format!("{} ×{}", finding.cause, finding.polls));
    }
    row
}

/// A process of this executable that uses a CPU until it is dropped.
struct Hog(Child);

impl Hog {
    fn start() -> Self {
        let this = std::env::current_exe().unwrap();
        let mut command = Command::new(this);
        command.arg("--hog").stdin(Stdio::piped());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Uses a CPU until standard input ends, so that no hog outlives the process that started it.
pub(crate) fn hog() -> ExitCode {
    crate::case::aside(|| {
        loop {
            compute(1_000_000);
        }
    });
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    ExitCode::SUCCESS
}
