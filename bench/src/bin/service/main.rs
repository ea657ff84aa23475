//! Measures a whole service over real sockets: CPU time, instructions, latencies. Each
//! middleware has a server process of its own, which this program starts.
//!
//!   service [cpu | instructions | latency] [--short]
//!   service instructions --check
//!
//! | file | what |
//! |---|---|
//! | `server` | the process: an axum router under hyper, with one middleware |
//! | `http2` | an HTTP/2 client |
//! | `cpu` | CPU time a request, by `getrusage` |
//! | `instructions` | the same by callgrind |
//! | `latency` | requests a second, and latencies at 70 % of that rate |

mod cpu;
mod http2;
mod instructions;
mod latency;
mod server;

use tower_runtime_health_bench::layers::Middleware;

/// Runs a part and prints its tables; the argument asks for a short run.
type Part = fn(bool);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["serve", key] = arguments[..] {
        let middleware = Middleware::by_key(key).expect("a middleware has that key");
        return server::run(middleware);
    }
    let is_short = arguments.contains(&"--short");
    let parts: [(&str, Part); 3] = [
        ("cpu", cpu::compete),
        ("instructions", instructions::compete),
        ("latency", latency::compete),
    ];
    if arguments[..] == ["instructions", "--check"] {
        return instructions::check_budgets();
    }
    let wanted = arguments.first().filter(|wanted| !wanted.starts_with("--"));
    let known = |wanted: &&&str| parts.iter().any(|(name, _)| name == *wanted);
    assert!(
        wanted.is_none() || wanted.as_ref().is_some_and(known),
        "no such part"
    );
    for (_, compete) in parts
        .iter()
        .filter(|(name, _)| wanted.is_none_or(|wanted| wanted == name))
    {
        compete(is_short);
    }
}
