//! What the layer costs, beside what its rivals cost.
//!
//! `run.sh` builds it, runs it and writes `RESULTS.md`.
//!
//! | file | what |
//! |---|---|
//! | `contender` | one way to do the work, its threads and its samples |
//! | `polls` | nanoseconds a poll: nothing, two clock reads, ours, `TaskMonitor` |
//! | `requests` | nanoseconds a request: bare, ours, axum-prometheus |
//! | `check` | whether what was timed was also done |
//! | `table` | medians, spread, ratios, goals |

mod check;
mod contender;
mod polls;
mod requests;
mod table;

fn main() {
    // For what the layers do beside the requests: probes of the scheduler,
    // upkeep of the metrics recorder. The contenders run on threads of their own.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let _inside = runtime.enter();
    polls::compete();
    requests::compete();
}
