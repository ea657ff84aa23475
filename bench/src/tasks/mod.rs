//! Third part: what a task on the blocking pool costs.

mod pool;

use tower_runtime_health::RuntimeHealth;
use tower_runtime_health_bench::layers::sum;

use self::pool::{AWAITED, Pool, QUEUED, ROUTE, STREAMED, Sample, Spawn, TASKS, in_request};
use tower_runtime_health_bench::check::{at_most, health_by_default};
use tower_runtime_health_bench::contender::Contender;
use tower_runtime_health_bench::table::{Figure, goal, median, print};

const ROUNDS: usize = 601;

const THEIRS: &str = "tokio's";
const OURS: &str = "ours, in a request";
const OUTSIDE: &str = "ours, outside a request";

/// The goal, and the limit that noise cannot exceed.
const BUDGET: f64 = 150.0;
const LIMIT: f64 = 300.0;

struct Entrant {
    name: &'static str,
    spawn: Spawn,
    samples: Vec<Sample>,
}

impl Entrant {
    fn new(name: &'static str, spawn: Spawn) -> Self {
        Self {
            name,
            spawn,
            samples: Vec::new(),
        }
    }

    /// Takes a sample, inside a request but for one contender.
    fn sample(&mut self, pool: &Pool, health: &RuntimeHealth) {
        let sample = || pool.sample(self.spawn);
        let sample = if self.name == OUTSIDE {
            sample()
        } else {
            in_request(health, sample)
        };
        self.samples.push(sample);
    }
}

/// Selects a figure of a sample.
type Nanos = fn(&Sample) -> f64;

fn measured(entrants: &[Entrant; 4], of: Nanos) -> [Contender; 4] {
    entrants.each_ref().map(|entrant| {
        let samples = entrant.samples.iter().map(of).collect();
        Contender::measured(entrant.name, samples)
    })
}

/// Returns what one contender costs beyond another. The median is that of the differences
/// within each round, so that a change from round to round affects both alike.
fn beyond(ours: &Contender, theirs: &Contender) -> Figure {
    let rounds = ours.samples.iter().zip(&theirs.samples);
    let minimum = ours.figure().with(theirs.figure(), |a, b| a - b).minimum;
    Figure {
        median: median(rounds.map(|(ours, theirs)| ours - theirs).collect()),
        minimum,
    }
}

pub fn compete() {
    // The oldest instance of the process records tasks outside requests.
    let health = health_by_default();
    let pool = Pool::new();
    let theirs: Spawn = || tokio::task::spawn_blocking(|| ());
    let ours: Spawn = || tower_runtime_health::spawn_blocking(|| ());
    let mut entrants = [
        Entrant::new(THEIRS, theirs),
        Entrant::new("tokio's, again (A/A)", theirs),
        Entrant::new(OURS, ours),
        Entrant::new(OUTSIDE, ours),
    ];
    for round in 0..ROUNDS {
        for at in 0..entrants.len() {
            let at = (round + at) % entrants.len();
            entrants[at].sample(&pool, &health);
        }
    }
    check(&health);

    println!(
        "## A task on the blocking pool\n\n{ROUNDS} rounds of empty tasks for a pool with one \
         thread. *Queued*: {QUEUED} are queued while the thread is blocked, then run; the \
         hand-over is not timed. *Streamed*: {STREAMED} are queued while the thread runs them. \
         *Awaited*: {AWAITED}, one by one. Own: beyond *{THEIRS}*.\n"
    );
    let queued: Nanos = |sample| sample.put + sample.run;
    let tables: [(&str, Nanos); 5] = [
        ("queued", queued),
        ("queued, on the spawning thread", |sample| sample.put),
        ("queued, on the pool's thread", |sample| sample.run),
        ("streamed", |sample| sample.streamed),
        ("awaited", |sample| sample.awaited),
    ];
    for (heading, of) in tables {
        println!("### Tasks: {heading}\n");
        let contenders = measured(&entrants, of);
        let theirs = contenders[0].figure().median;
        print(&contenders, THEIRS, "/ tokio's", |median, _| {
            median / theirs
        });
    }
    verdict(&measured(&entrants, queued));
}

fn verdict([theirs, again, ours @ ..]: &[Contender; 4]) {
    println!("### Goals for a task (queued; medians of the differences in each round)\n");
    for ours in ours {
        let found = beyond(ours, theirs);
        goal(&format!("{}, ns beyond {THEIRS}", ours.name), found, BUDGET);
        at_most(&ours.name, found.median, LIMIT);
    }
    println!(
        "\n{THEIRS}, again (A/A), ns beyond {THEIRS}: {:.2}.\n",
        beyond(again, theirs).median
    );
}

/// Checks that every task ran and was recorded under the right route.
fn check(health: &RuntimeHealth) {
    let page = health.render();
    for route in [ROUTE, "<none>"] {
        let label = format!("route=\"{route}\"");
        let ran = sum(&page, "runtime_health_blocking_run_seconds_count", &label);
        assert_eq!(ran, ROUNDS as u64 * u64::from(TASKS), "{route}");
    }
}
