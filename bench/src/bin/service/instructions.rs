use tower_runtime_health_bench::budget;
use tower_runtime_health_bench::callgrind::Counts;
use tower_runtime_health_bench::child::Child;
use tower_runtime_health_bench::http1;
use tower_runtime_health_bench::layers::Middleware;

use super::http2;
use super::server::Server;

const REQUESTS: u64 = 200;

/// The most instructions that a request may take beyond one without us, for both ways to
/// add the layer.
const BY_LAYER: f64 = 700.0;
const AROUND: f64 = 450.0;

pub fn compete(is_short: bool) {
    println!(
        "## Instructions of a whole service\n\nBy callgrind, in user space, for one `GET` after the \
         other on one connection: all that the server does for the connection (the polls of its \
         tasks), but for the runtime's scheduling and for other threads. From runs of {REQUESTS} and \
         of {} requests; in brackets from a second measurement.\n\n| contender | HTTP/1.1 | HTTP/2 |\n|---|---:|---:|",
        3 * REQUESTS
    );
    let contenders = if is_short {
        &Middleware::ALL[..4]
    } else {
        &Middleware::ALL[..]
    };
    let mut http1 = Vec::new();
    for middleware in contenders {
        let [one, two] = [false, true].map(|is_http2| {
            let [once, again] = [(); 2].map(|()| count(*middleware, is_http2));
            (once, format!("{once:.0} ({again:.0})"))
        });
        println!("| {} | {} | {} |", middleware.name(), one.1, two.1);
        http1.push((*middleware, one.0));
    }
    verdict(&http1);
}

fn verdict(http1: &[(Middleware, f64)]) {
    let of = |wanted| {
        let found = http1.iter().find(|(middleware, _)| *middleware == wanted);
        found.expect("all of ours are there").1
    };
    let (bare, nothing) = (of(Middleware::Bare), of(Middleware::Nothing));
    let (layer, around) = (of(Middleware::Ours), of(Middleware::OursAround));
    println!("\n### Goals for instructions (HTTP/1.1)\n");
    let verdict = |met: bool| if met { "met" } else { "**missed**" };
    for (what, own, limit) in [
        (
            "by `Router::layer`, beyond a layer that does nothing",
            layer - nothing,
            BY_LAYER,
        ),
        (
            "around the whole router, beyond bare",
            around - bare,
            AROUND,
        ),
    ] {
        println!(
            "- ours, {what}, at most {limit}: {own:.0}: {}",
            verdict(own <= limit)
        );
    }
    for (rival, count) in http1 {
        let is_ours = matches!(rival, Middleware::Ours | Middleware::OursAround);
        if rival.records() && !is_ours {
            println!(
                "- ours by `Router::layer`, fewer than {}: {:.0}, theirs {:.0}, beyond bare: {}",
                rival.name(),
                layer - bare,
                count - bare,
                verdict(layer < *count)
            );
        }
    }
    println!();
}

pub fn check_budgets() {
    println!("### Budgets of a whole service\n");
    // Only HTTP/1.1: counts over HTTP/2 differ by 50 from run to run.
    let own = [
        ("http1/ours", Middleware::Ours, Middleware::Nothing),
        (
            "http1/ours-around",
            Middleware::OursAround,
            Middleware::Bare,
        ),
    ]
    .map(|(name, ours, base)| (name.into(), count(ours, false) - count(base, false)));
    budget::check("http1", &own);
    println!();
}

/// Returns the instructions of one request.
fn count(middleware: Middleware, is_http2: bool) -> f64 {
    let [few, many] = [REQUESTS, 3 * REQUESTS].map(|requests| {
        let counts = Counts::new();
        let this = std::env::current_exe().expect("this program has a path");
        let mut command = counts.command(this);
        command.args(["serve", middleware.key()]);
        let mut server = Server::of(middleware, Child::start(command));
        if is_http2 {
            http2::Client::connect(server.port).run(requests, 1);
        } else {
            http1::Client::connect(server.port, 1).run(requests, None);
        }
        server.check(requests + 1);
        server.end();
        counts.read()
    });
    (many as f64 - few as f64) / (2 * REQUESTS) as f64
}
