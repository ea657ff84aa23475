//! What the layer costs, beside what its rivals cost.
//!
//! `run.sh` builds it, runs it and writes `RESULTS.md`.
//!
//! | file | what |
//! |---|---|
//! | `polls` | nanoseconds a poll: nothing, two clock reads, ours, `TaskMonitor` |
//! | `requests` | nanoseconds a request: bare, ours, axum-prometheus |
//! | `tasks` | nanoseconds a pool task: tokio's `spawn_blocking`, ours |

mod polls;
mod requests;
mod tasks;

fn main() {
    // For what the layers do beside the requests: probes of the scheduler,
    // upkeep of the metrics recorder. The contenders run on threads of their own.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let _inside = runtime.enter();
    // One part by its name, or all.
    let wanted = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"));
    let parts: [(&str, fn()); 3] = [
        ("polls", polls::compete),
        ("requests", requests::compete),
        ("tasks", tasks::compete),
    ];
    for (name, compete) in parts {
        if wanted.as_deref().is_none_or(|wanted| wanted == name) {
            compete();
        }
    }
}
