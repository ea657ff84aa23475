//! First part: what one poll costs.

mod contention;
mod contest;
mod work;

pub use contention::contend;

use std::thread::available_parallelism;

use self::contest::{Contest, Names};
use self::work::Unready::{Idle, Woken};
use tower_runtime_health_bench::contender::{Contender, rounds, run};
use tower_runtime_health_bench::table::{goal, own, print};

const ROUNDS: usize = 151;
/// Polls in a sample, about a millisecond. That is shorter than the scheduler's time
/// slice, so that most samples are not interrupted on a busy machine.
const POLLS: u64 = 40_000;

pub fn compete() {
    // On one core two threads take turns, so that this part still runs.
    let cores = available_parallelism().map_or(2, usize::from).max(2);
    let mut contests = [
        Contest::new("one thread, never woken".into(), 1, Idle),
        Contest::new("one thread, each poll after a wake".into(), 1, Woken),
        Contest::new(format!("{cores} threads at once, never woken"), cores, Idle),
    ];
    // In one run, because the contests are compared with each other as well.
    let mut all: Vec<&mut Contender> = contests
        .iter_mut()
        .flat_map(|contest| &mut contest.contenders)
        .collect();
    let rounds = rounds(ROUNDS);
    run(rounds, &mut all);

    println!(
        "## A poll\n\n{rounds} rounds of {POLLS} polls. Own: beyond *{}*.\n",
        Names::NOTHING
    );
    for contest in &contests {
        contest.check();
        println!("### Polls: {}\n", contest.heading);
        let contenders = &contest.contenders;
        let reads = own(contenders, Names::TWO_READS, Names::NOTHING).median;
        print(
            contenders,
            Names::NOTHING,
            "own / two clock reads",
            |_, own| own / reads,
        );
    }
    let [one, _, all] = &contests;
    verdict(&one.contenders, &all.contenders);
    contests.into_iter().for_each(Contest::finish);
}

fn verdict(one: &[Contender], all: &[Contender]) {
    let [reads, ours, monitor] =
        [Names::TWO_READS, Names::OURS, Names::MONITOR].map(|name| own(one, name, Names::NOTHING));
    println!("### Goals for a poll (one thread, never woken)\n");
    goal(
        "our layer / two clock reads",
        ours.with(reads, |a, b| a / b),
        1.4,
    );
    goal(
        "our layer / TaskMonitor",
        ours.with(monitor, |a, b| a / b),
        0.2,
    );
    println!(
        "  (the two clock reads alone are {:.2} of it)",
        reads.with(monitor, |a, b| a / b).median
    );
    let on_all = own(all, Names::OURS, Names::NOTHING);
    goal(
        "our layer, on all cores / on one",
        on_all.with(ours, |a, b| a / b),
        1.15,
    );

    println!("\n### All threads at once\n");
    println!(
        "Own cost, divided by the own cost on one thread, and divided by the own cost where \
         each thread has a layer or monitor of its own. The first ratio includes what the cores \
         share in any case, the second shows only what the threads share.\n"
    );
    for (name, apart) in [
        (Names::TWO_READS, None),
        (Names::OURS, Some(Names::OURS_APART)),
        (Names::MONITOR, Some(Names::MONITOR_APART)),
    ] {
        let together = own(all, name, Names::NOTHING);
        let of_one = together
            .with(own(one, name, Names::NOTHING), |a, b| a / b)
            .median;
        print!("- {name}: {of_one:.2} of one thread");
        if let Some(apart) = apart {
            let of_apart = together
                .with(own(all, apart, Names::NOTHING), |a, b| a / b)
                .median;
            print!(", {of_apart:.2} of *{apart}*");
        }
        println!();
    }
    println!();
}
