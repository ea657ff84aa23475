use tower_runtime_health_bench::http1;
use tower_runtime_health_bench::layers::Middleware;
use tower_runtime_health_bench::table::{Figure, Spread, goal, paired};
use tower_runtime_health_bench::threads::pin;

use super::http2;
use super::server::Server;

/// The most CPU time that a whole service may take with us, divided by its time without.
const LIMIT: f64 = 1.03;
const AT_A_TIME: u64 = 8;

enum Client {
    Http1(http1::Client),
    Http2(http2::Client),
}

struct Contender {
    name: String,
    server: Server,
    client: Client,
    /// Nanoseconds a request, one sample a round.
    samples: Vec<f64>,
}

impl Client {
    fn run(&mut self, requests: u64) {
        match self {
            Self::Http1(client) => drop(client.run(requests, None)),
            Self::Http2(client) => client.run(requests, AT_A_TIME),
        }
    }

    /// Returns the requests that were sent while connecting.
    fn at_first(&self) -> u64 {
        match self {
            Self::Http1(_) => AT_A_TIME,
            Self::Http2(_) => 1,
        }
    }
}

pub fn compete(is_short: bool) {
    pin(0);
    let (rounds, requests) = if is_short { (3, 320) } else { (81, 2400) };
    println!(
        "## CPU time of a whole service\n\n{rounds} rounds of {requests} `GET` over loopback for \
         each contender, which has a process of its own; the order changes from round to round. \
         User and system time of the whole process (`getrusage`), in nanoseconds a request; the \
         ratios are within each round. Server with one worker, on a core of its own; the client \
         on another, {AT_A_TIME} connections or streams.\n"
    );
    for (heading, is_http2) in [("HTTP/1.1, keep-alive", false), ("HTTP/2", true)] {
        println!("### CPU time: {heading}\n");
        let contenders = sample(is_http2, rounds, requests);
        print(&contenders, is_http2);
    }
}

fn sample(is_http2: bool, rounds: usize, requests: u64) -> Vec<Contender> {
    let again = [(Middleware::Bare, " again (A/A)")];
    let all = Middleware::ALL.map(|middleware| (middleware, ""));
    let mut contenders: Vec<_> = all
        .into_iter()
        .chain(again)
        .map(|(middleware, again)| {
            let server = Server::start(middleware);
            Contender {
                name: format!("{}{again}", middleware.name()),
                client: if is_http2 {
                    Client::Http2(http2::Client::connect(server.port))
                } else {
                    Client::Http1(http1::Client::connect(server.port, AT_A_TIME as usize))
                },
                server,
                samples: Vec::new(),
            }
        })
        .collect();
    let warm_up = requests / 4;
    for round in 0..rounds {
        for at in 0..contenders.len() {
            let at = (round + at) % contenders.len();
            let contender = &mut contenders[at];
            contender.client.run(warm_up);
            let before = contender.server.cpu();
            contender.client.run(requests);
            let cpu = contender.server.cpu() - before;
            contender.samples.push(cpu / requests as f64);
        }
    }
    let done = rounds as u64 * (requests + warm_up);
    for contender in &mut contenders {
        let at_first = contender.client.at_first();
        contender.server.check(done + at_first);
    }
    contenders
}

fn print(contenders: &[Contender], is_http2: bool) {
    let bare = &contenders[0].samples;
    println!("| contender | median ns | quartiles | / bare | quartiles |");
    println!("|---|---:|---:|---:|---:|");
    for contender in contenders {
        let (nanos, ratio) = (
            Spread::of(&contender.samples),
            Spread::of(&paired(&contender.samples, bare, |a, b| a / b)),
        );
        println!(
            "| {} | {:.0} | {:.0} .. {:.0} | {:.3} | {:.3} .. {:.3} |",
            contender.name,
            nanos.median,
            nanos.low,
            nanos.high,
            ratio.median,
            ratio.low,
            ratio.high
        );
    }
    let again = &contenders.last().expect("the A/A control").samples;
    let again = Spread::of(&paired(again, bare, |a, b| a / b));
    let noise = (again.high - 1.0).max(1.0 - again.low);
    println!(
        "\nBare, again (A/A) / bare: {:.3}, quartiles within {noise:.3} of 1.\n",
        again.median
    );
    if !is_http2 {
        for contender in contenders {
            if let Middleware::Ours | Middleware::OursAround = contender.server.middleware {
                let ratio = paired(&contender.samples, bare, |a, b| a / b);
                let found = Figure::of(&ratio);
                let what = format!("CPU time / bare, {}, beyond the A/A spread", contender.name);
                goal(&what, found.with(found, |a, _| a - noise), LIMIT);
            }
        }
        println!();
    }
}
