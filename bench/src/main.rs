//! What the layer costs, compared with its rivals.
//!
//! `run.sh` builds it, runs it and writes `RESULTS.md`.
//!
//! | file | what |
//! |---|---|
//! | `polls` | nanoseconds a poll, for us and for the rivals that time polls or enter spans |
//! | `polls::contention` | the same on 1 to 16 threads |
//! | `requests` | nanoseconds a request, for us and for every rival |
//! | `tasks` | nanoseconds a pool task: tokio's `spawn_blocking`, ours |

mod polls;
mod requests;
mod tasks;

use tower_runtime_health_bench::layers::Middleware;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [serve, key, polls, frames] = &arguments[..]
        && serve == "serve-requests"
    {
        let middleware = Middleware::by_key(key).expect("a middleware has that key");
        let [polls, frames] = [polls, frames].map(|number| number.parse().expect("a number"));
        return requests::serve(middleware, polls, frames);
    }
    // For the layers' background work: scheduler probes, upkeep of the metrics
    // recorder. The contenders run on threads of their own.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let _inside = runtime.enter();
    // One part by its name, or all of them.
    let wanted = arguments
        .iter()
        .find(|argument| !argument.starts_with("--"));
    let parts: [(&str, fn()); 4] = [
        ("polls", polls::compete),
        ("contention", polls::contend),
        ("requests", requests::compete),
        ("tasks", tasks::compete),
    ];
    for (name, compete) in parts {
        if wanted.is_none_or(|wanted| wanted == name) {
            compete();
        }
    }
}
