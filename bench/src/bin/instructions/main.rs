//! Counts the instructions of one poll and of one request, in process, by callgrind.
//!
//!   instructions [--check]
//!
//! With `--check` only the cases with a budget are counted, and compared with it. Each case
//! runs twice under valgrind, the second time with three times the work. Its count is taken
//! from the difference.

#[path = "../../polls/work.rs"]
#[allow(dead_code, reason = "the bench of times uses the rest")]
mod polls;
#[path = "../../requests/work.rs"]
mod requests;

use axum::body::Body;
use polls::Unready::Idle;
use tokio_metrics::TaskMonitor;
use tower::Layer;
use tower_runtime_health_bench::budget;
use tower_runtime_health_bench::callgrind::Counts;
use tower_runtime_health_bench::check::health;
use tower_runtime_health_bench::contender::Work;
use tower_runtime_health_bench::layers::{DoNothingLayer, route};

const TIMES: u64 = 1000;

/// The cases, each with the case it is compared to: *own* is the difference. The cases with
/// a budget come first.
const CASES: [(&str, Option<&str>); 11] = [
    ("poll/ours", Some("poll/nothing")),
    ("poll/ours-delay-sampled", Some("poll/nothing")),
    ("request/ours", Some("request/bare")),
    ("request/axum-ours", Some("request/axum-nothing")),
    ("request/axum-ours-around", Some("request/axum-bare")),
    ("poll/nothing", None),
    ("poll/two-clock-reads", Some("poll/nothing")),
    ("poll/task-monitor", Some("poll/nothing")),
    ("request/bare", None),
    ("request/axum-bare", None),
    ("request/axum-nothing", Some("request/axum-bare")),
];
const WITH_BUDGET: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => print(),
        [check] if check == "--check" => check_budgets(),
        [run, case, times] if run == "run" => run_case(case, times.parse().expect("a number")),
        _ => panic!("usage: instructions [--check]"),
    }
}

fn print() {
    println!(
        "## Instructions, in process\n\nBy callgrind, in user space; *own* is beyond the case it is \
         compared to. The polls are never woken and not ready; a request is a call, one poll and a \
         body of one frame.\n\n| case | instructions | compared to | own |\n|---|---:|---|---:|"
    );
    let mut own_of_poll = 0.0;
    for (case, base) in CASES {
        let count = count(case);
        let (base, own) = match base {
            None => ("", String::new()),
            Some(base) => {
                let own = count - self::count(base);
                if case == "poll/ours" {
                    own_of_poll = own;
                }
                (base, format!("{own:.0}"))
            }
        };
        println!("| {case} | {count:.0} | {base} | {own} |");
    }
    let verdict = if own_of_poll <= 80.0 {
        "met"
    } else {
        "**missed**"
    };
    println!(
        "\n- a poll, instructions of its own, the two clock reads among them, at most 80: \
         {own_of_poll:.0}: {verdict}\n"
    );
}

fn check_budgets() {
    println!("### Budgets, in process\n");
    let own: Vec<_> = CASES[..WITH_BUDGET]
        .iter()
        .filter_map(|(case, base)| Some(((*case).to_owned(), count(case) - count((*base)?))))
        .collect();
    for kind in ["poll", "request"] {
        let of_kind = own.iter().filter(|(name, _)| name.starts_with(kind));
        budget::check(kind, &of_kind.cloned().collect::<Vec<_>>());
    }
    println!();
}

/// Returns the instructions that a case takes, for one piece of work.
fn count(case: &str) -> f64 {
    let [few, many] = [TIMES, 3 * TIMES].map(|times| {
        let counts = Counts::new();
        let this = std::env::current_exe().expect("this program has a path");
        let mut command = counts.command(this);
        command.args(["run", case, &times.to_string()]);
        let output = command.output().unwrap_or_else(|error| {
            panic!("valgrind does not start ({error}): install the package valgrind")
        });
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{case}: {errors}");
        counts.read()
    });
    (many - few) as f64 / (2 * TIMES) as f64
}

fn run_case(case: &str, times: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let _inside = runtime.enter();
    let mut work = find(case);
    // The first pieces of work allocate, which is not counted.
    work(100);
    measured_work(&mut work, times);
}

fn find(case: &str) -> Work {
    let plain = || health(None).layer();
    match case {
        "poll/nothing" => polls::nothing(Idle),
        "poll/two-clock-reads" => polls::two_clock_reads(Idle),
        "poll/ours" => polls::our_layer(&health(None), Idle),
        "poll/ours-delay-sampled" => polls::our_layer(&health(1), Idle),
        "poll/task-monitor" => polls::task_monitor(&TaskMonitor::new(), Idle),
        "request/bare" => requests::send::<_, (), _>(requests::service()),
        "request/ours" => {
            let service = plain().route_by(route).layer(requests::service());
            requests::send::<_, (), _>(service)
        }
        "request/axum-bare" => requests::send::<_, Body, _>(requests::router(1, 1)),
        "request/axum-nothing" => {
            requests::send::<_, Body, _>(requests::router(1, 1).layer(DoNothingLayer))
        }
        "request/axum-ours" => requests::send::<_, Body, _>(requests::router(1, 1).layer(plain())),
        "request/axum-ours-around" => {
            let service = plain().route_by(route).layer(requests::router(1, 1));
            requests::send::<_, Body, _>(service)
        }
        _ => panic!("no case is called {case}"),
    }
}

/// The function whose instructions callgrind counts.
#[inline(never)]
fn measured_work(work: &mut Work, times: u64) {
    work(times);
}
