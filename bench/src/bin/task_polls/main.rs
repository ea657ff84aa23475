//! Measures what it costs to observe the polls of a tokio task: our layer, compared with the
//! tools that observe every task of a runtime. They need tokio's unstable features:
//!
//! ```text
//! RUSTFLAGS="--cfg tokio_unstable" cargo run --release --features task-polls --bin task_polls [-- --short]
//! ```
//!
//! | file | what |
//! |---|---|
//! | `observer` | the tools, each set up as its documentation says |
//! | `hooks` | tokio's task hooks, as a detector of long polls would use them |
//! | `trace` | dial9's recorder and the trace it writes |
//! | `task` | the task whose polls are observed |

mod hooks;
mod observer;
mod task;
mod trace;

use tower_runtime_health_bench::child::{self, Child};
use tower_runtime_health_bench::contender::cpu_time;
use tower_runtime_health_bench::machine;
use tower_runtime_health_bench::table::{Spread, median, paired};

use observer::{Observed, Observer};

/// Polls of a sample.
const POLLS: u64 = 20_000;
/// Untimed polls before them: another process had the caches and the branch predictor.
const WARM_UP: u64 = POLLS / 10;

/// Each batch has new processes: the random addresses of a process's code and stack change
/// its figures by several nanoseconds.
const BATCHES: usize = 7;
const ROUNDS: usize = 21;

struct Contender {
    observer: Observer,
    name: String,
    /// Nanoseconds a poll, one a round.
    samples: Vec<f64>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [serve, key] if serve == "serve" => {
            let observer = Observer::by_key(key).expect("an observer has that key");
            self::serve(Observed::start(observer));
        }
        [] => compete(BATCHES, ROUNDS),
        [short] if short == "--short" => compete(1, 3),
        _ => panic!("usage: task_polls [--short]"),
    }
}

fn compete(batches: usize, rounds: usize) {
    let all = Observer::ALL.map(|observer| (observer, observer.name().to_owned()));
    let again = (
        Observer::Bare,
        format!("{}, again (A/A)", Observer::Bare.name()),
    );
    let mut contenders: Vec<_> = all
        .into_iter()
        .chain([again])
        .map(|(observer, name)| Contender {
            observer,
            name,
            samples: Vec::new(),
        })
        .collect();
    for _ in 0..batches {
        batch(&mut contenders, rounds);
    }
    print(&contenders, batches, rounds);
}

/// Samples every contender once a round. Each round begins with the next contender.
fn batch(contenders: &mut [Contender], rounds: usize) {
    let start = |contender: &Contender| Child::of_this(&["serve", contender.observer.key()]);
    let mut children: Vec<_> = contenders.iter().map(start).collect();
    for round in 0..rounds {
        for at in 0..contenders.len() {
            let at = (round + at) % contenders.len();
            let nanos = children[at].ask("sample").parse().expect("a number");
            contenders[at].samples.push(nanos);
        }
    }
    for (contender, mut child) in contenders.iter().zip(children) {
        let answer = child.ask("check");
        assert_eq!(answer, "recorded", "{}", contender.name);
        child.end();
    }
}

/// Runs in the process of a contender.
fn serve(mut observed: Observed) {
    child::answer(|question| match question {
        "sample" => {
            observed.run(WARM_UP);
            // The time of this thread, which polls the task. It does not advance while other
            // processes have the core.
            let start = cpu_time();
            observed.run(POLLS);
            ((cpu_time() - start) as f64 / POLLS as f64).to_string()
        }
        "check" => observed.check(),
        _ => panic!("no answer to {question}"),
    });
}

fn print(contenders: &[Contender], batches: usize, rounds: usize) {
    println!(
        "## A poll of a task, compared with tools that observe every task\n\n\
         On {}. {batches} batches of {rounds} rounds, every contender once a round; each batch \
         has new processes. A task wakes itself {POLLS} times, on a runtime with one \
         thread. CPU time of that thread: the work of a tool's own threads is not in it. \
         Own: beyond *{}*, the median of the differences within each round. Built with \
         `tokio_unstable` and tokio's `tracing`.\n",
        machine::describe(),
        Observer::Bare.name()
    );
    let bare = &contenders[0].samples;
    let own = |contender: &Contender| median(paired(&contender.samples, bare, |a, b| a - b));
    let ours = contenders
        .iter()
        .find(|contender| contender.observer == Observer::Ours)
        .map(own)
        .expect("it is a contender");
    println!("| contender | median ns a poll | quartiles | own ns | own / ours |");
    println!("|---|---:|---:|---:|---:|");
    for contender in contenders {
        let Spread { low, median, high } = Spread::of(&contender.samples);
        let own = own(contender);
        println!(
            "| {} | {median:.1} | {low:.1} .. {high:.1} | {own:.1} | {:.2} |",
            contender.name,
            own / ours
        );
    }
    println!(
        "\nhud is missing: it is a program of its own that needs root, and building it needs a \
         nightly toolchain with `rust-src` and `bpf-linker`.\n"
    );
}
