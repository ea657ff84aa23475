//! Second part: what one request costs.
//!
//! | file | what |
//! |---|---|
//! | `work` | the services, and a sender of sequential requests |
//! | `routed` | through an axum router, every middleware in a process of its own |
//! | `plain` | around a service without axum |

mod plain;
mod routed;
mod work;

pub use routed::serve;

use tower_runtime_health_bench::contender::{Contender, rounds, run};
use tower_runtime_health_bench::table::{named, own, print};

const ROUNDS: usize = 101;
const BARE: &str = "bare";
const AGAIN: &str = "bare, again (A/A)";

pub fn compete() {
    let mut plain = plain::Contest::new();
    let mut routed: Vec<_> = routed::CIRCUMSTANCES.map(routed::contest).into();
    let mut all: Vec<&mut Contender> = plain.contenders.iter_mut().collect();
    all.extend(routed.iter_mut().flatten());
    let rounds = rounds(ROUNDS);
    run(rounds, &mut all);

    println!(
        "## A request\n\n{rounds} rounds, in process, by hand-made polls: no sockets, no tasks. \
         Own: beyond *{BARE}*.\n"
    );
    plain.check();
    println!("### Requests: around a whole service, without axum\n");
    table(&plain.contenders);
    for (contenders, circumstance) in routed.iter_mut().zip(&routed::CIRCUMSTANCES) {
        routed::check(contenders);
        println!(
            "### Requests: through an axum router, {}\n",
            circumstance.what
        );
        table(contenders);
    }
    routed::verdict(&routed[0]);
    let all = plain
        .contenders
        .into_iter()
        .chain(routed.into_iter().flatten());
    all.for_each(Contender::finish);
}

fn table(contenders: &[Contender]) {
    let bare = named(contenders, BARE).figure().median;
    print(contenders, BARE, "/ bare", |median, _| median / bare);
}

/// Returns what a contender costs beyond the bare service, in nanoseconds.
fn beyond_bare(contenders: &[Contender], name: &str) -> tower_runtime_health_bench::table::Figure {
    own(contenders, name, BARE)
}
