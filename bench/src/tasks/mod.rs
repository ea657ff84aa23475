//! Third part: what a task on the blocking pool costs.

mod pool;

use tower_runtime_health::RuntimeHealth;

use self::pool::{Pool, ROUTE, Sample, Spawn, in_request};
use crate::check::{at_most, health_by_default, sum};
use crate::contender::Contender;
use crate::table::{Figure, goal, median, print};

const ROUNDS: usize = 601;
/// Tasks a sample. Fewer than the crate tells apart while they wait.
const TASKS: u64 = 500;
const ONE_BY_ONE: u64 = 50;

const THEIRS: &str = "tokio's";
const OURS: &str = "ours, in a request";

/// What is aimed at, and what no noise explains.
const BUDGET: f64 = 150.0;
const LIMIT: f64 = 300.0;

struct Entrant {
    name: &'static str,
    pool: Pool,
    spawn: Spawn,
    /// Whether it spawns in a request; else no request is the cause.
    in_request: bool,
    samples: Vec<Sample>,
    one_by_one: Vec<f64>,
}

impl Entrant {
    fn new(name: &'static str, in_request: bool, spawn: Spawn) -> Self {
        Self {
            name,
            pool: Pool::new(),
            spawn,
            in_request,
            samples: Vec::new(),
            one_by_one: Vec::new(),
        }
    }

    fn sample(&mut self, health: &RuntimeHealth) {
        let both = || {
            let queued = self.pool.queue(TASKS, self.spawn);
            (queued, self.pool.one_by_one(ONE_BY_ONE, self.spawn))
        };
        let (queued, one_by_one) = if self.in_request {
            in_request(health, both)
        } else {
            both()
        };
        self.samples.push(queued);
        self.one_by_one.push(one_by_one);
    }

    fn measured(&self, of: impl Fn(&Sample) -> f64) -> Contender {
        let samples = self.samples.iter().map(of).collect();
        Contender::measured(self.name, samples)
    }
}

/// What one contender costs beyond another: by the differences within each
/// round, so that what changes from round to round does not count.
fn beyond(ours: &[f64], theirs: &[f64]) -> Figure {
    let differences = ours.iter().zip(theirs).map(|(ours, theirs)| ours - theirs);
    let least = |samples: &[f64]| samples.iter().copied().fold(f64::INFINITY, f64::min);
    Figure {
        median: median(differences.collect()),
        least: least(ours) - least(theirs),
    }
}

pub fn compete() {
    // The oldest of the process: it counts what no request causes.
    let health = health_by_default();
    let theirs: Spawn = || tokio::task::spawn_blocking(|| ());
    let ours: Spawn = || tower_runtime_health::spawn_blocking(|| ());
    let mut entrants = [
        Entrant::new(THEIRS, true, theirs),
        Entrant::new("tokio's, again (A/A)", true, theirs),
        Entrant::new(OURS, true, ours),
        Entrant::new("ours, caused by no request", false, ours),
    ];
    for round in 0..ROUNDS {
        for at in 0..entrants.len() {
            let at = (round + at) % entrants.len();
            entrants[at].sample(&health);
        }
    }

    println!(
        "## A task on the blocking pool\n\n{ROUNDS} rounds of {TASKS} empty tasks, put on a pool \
         whose one thread is held, then run. Own: beyond *{THEIRS}*.\n"
    );
    let tables: [(&str, fn(&Sample) -> f64); 3] = [
        ("both together", |sample| sample.spawn + sample.run),
        ("putting it on the pool", |sample| sample.spawn),
        ("running it", |sample| sample.run),
    ];
    for (heading, of) in tables {
        println!("### Tasks: {heading}\n");
        let contenders = entrants.each_ref().map(|entrant| entrant.measured(of));
        let base = contenders[0].figure().median;
        print(&contenders, THEIRS, "/ tokio's", |median, _| median / base);
    }
    println!("### Tasks: {ONE_BY_ONE} a round one by one, each awaited\n");
    let contenders = entrants
        .each_ref()
        .map(|entrant| Contender::measured(entrant.name, entrant.one_by_one.clone()));
    let base = contenders[0].figure().median;
    print(&contenders, THEIRS, "/ tokio's", |median, _| median / base);

    println!("### Goal for a task (queued, both together; medians of differences)\n");
    let [theirs, again, ours, nobodys] = entrants
        .each_ref()
        .map(|entrant| entrant.measured(|sample| sample.spawn + sample.run).samples);
    for (name, of) in [(OURS, &ours), ("ours, caused by no request", &nobodys)] {
        let found = beyond(of, &theirs);
        goal(&format!("{name}, ns beyond tokio's"), found, BUDGET);
        at_most(name, found.median, LIMIT);
    }
    let noise = beyond(&again, &theirs).median;
    println!("- the same of tokio's beside itself: {noise:.2}\n");

    let page = health.render();
    for route in [ROUTE, "<none>"] {
        let label = format!("route=\"{route}\"");
        let ran = sum(&page, "runtime_health_blocking_run_seconds_count", &label);
        assert_eq!(ran, ROUNDS as u64 * (TASKS + ONE_BY_ONE), "{route}");
    }
}
