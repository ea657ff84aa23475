use tower_runtime_health_bench::check::{counted, health};
use tower_runtime_health_bench::contender::{Contender, cpu_time, rounds, run};
use tower_runtime_health_bench::table::{Figure, Spread, goal};

use super::work::{self, Unready};

const ROUNDS: usize = 41;
/// Polls of each thread in a sample.
const POLLS: u64 = 20_000;
const THREADS: [usize; 5] = [1, 2, 4, 8, 16];
/// The most that a poll may cost on several threads, divided by its cost on one.
const LIMIT: f64 = 1.15;

/// Times a poll on 1 to 16 threads that all record into one route.
pub fn contend() {
    let healths = THREADS.map(|_| health(None));
    let monitors = THREADS.map(|_| tokio_metrics::TaskMonitor::new());
    let future = Unready::Idle;
    let mut contenders: Vec<Contender> = Vec::new();
    for (at, threads) in THREADS.into_iter().enumerate() {
        let (health, monitor) = (healths[at].clone(), monitors[at].clone());
        let mut enter = |name, make: Box<dyn Fn() -> _ + Send + Sync>| {
            let contender = Contender::on_threads(threads, name, POLLS, cpu_time, make);
            contenders.push(contender);
        };
        enter(
            "two clock reads",
            Box::new(move || work::two_clock_reads(future)),
        );
        enter(
            "our layer",
            Box::new(move || work::our_layer(&health, future)),
        );
        enter(
            "TaskMonitor",
            Box::new(move || work::task_monitor(&monitor, future)),
        );
    }
    let rounds = rounds(ROUNDS);
    run(rounds, &mut contenders.iter_mut().collect::<Vec<_>>());
    for (at, health) in healths.iter().enumerate() {
        let polls = counted(health, "poll_duration_seconds_count");
        // `call` is timed as well, once a thread.
        let calls = THREADS[at] as u64;
        assert_eq!(polls, contenders[3 * at + 1].done + calls);
        let polls = monitors[at].cumulative().total_poll_count;
        assert_eq!(polls, contenders[3 * at + 2].done);
    }
    print(&contenders, rounds);
    contenders.into_iter().for_each(Contender::finish);
}

fn print(contenders: &[Contender], rounds: usize) {
    println!(
        "## Contention\n\n{rounds} rounds of {POLLS} polls on each thread, all of one route. CPU time \
         of the threads in nanoseconds a poll, because there are more threads than cores; in \
         brackets divided by that of one thread.\n"
    );
    print!("| contender |");
    THREADS.iter().for_each(|threads| print!(" {threads} |"));
    println!("\n|---|{}", "---:|".repeat(THREADS.len()));
    for at in 0..3 {
        print!("| {} |", contenders[at].name);
        let one = Spread::of(&contenders[at].samples).median;
        for contender in contenders.iter().skip(at).step_by(3) {
            let median = Spread::of(&contender.samples).median;
            print!(" {median:.1} ({:.2}) |", median / one);
        }
        println!();
    }
    println!();
    let ours: Vec<_> = contenders.iter().skip(1).step_by(3).collect();
    let one = Figure::of(&ours[0].samples);
    for (contender, threads) in ours.iter().zip(THREADS).skip(1) {
        let ratio = Figure::of(&contender.samples).with(one, |a, b| a / b);
        goal(
            &format!("our layer, on {threads} threads / on one"),
            ratio,
            LIMIT,
        );
    }
    println!();
}
