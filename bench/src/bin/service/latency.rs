use std::time::Duration;

use tower_runtime_health_bench::http1::Client;
use tower_runtime_health_bench::layers::Middleware;
use tower_runtime_health_bench::table::{Figure, Spread, goal, paired, quantile};
use tower_runtime_health_bench::threads::pin;

use super::server::Server;

const CONNECTIONS: usize = 16;
/// The load, as a share of the requests a second that the bare service can answer.
const LOAD: f64 = 0.7;
const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)];

struct Contender {
    name: String,
    middleware: Middleware,
    client: Client,
    server: Server,
    requests: u64,
    per_second: Vec<f64>,
    /// Microseconds, one sample a round.
    quantiles: [Vec<f64>; 3],
}

pub fn compete(is_short: bool) {
    pin(0);
    let (rounds, at_once, seconds) = if is_short {
        (2, 1000, 0.05)
    } else {
        (15, 8000, 0.6)
    };
    let again = [(Middleware::Bare, " again (A/A)")];
    let all = Middleware::ALL.map(|middleware| (middleware, ""));
    let mut contenders: Vec<_> = all
        .into_iter()
        .chain(again)
        .map(|(middleware, again)| {
            let server = Server::start(middleware);
            Contender {
                name: format!("{}{again}", middleware.name()),
                middleware,
                client: Client::connect(server.port, CONNECTIONS),
                server,
                requests: CONNECTIONS as u64,
                per_second: Vec::new(),
                quantiles: Default::default(),
            }
        })
        .collect();
    for round in 0..rounds {
        let mut rate = 0.0;
        for contender in &mut contenders {
            contender.saturate(at_once);
            if contender.middleware == Middleware::Bare && rate == 0.0 {
                rate = LOAD * Spread::of(&contender.per_second).median;
            }
        }
        for at in 0..contenders.len() {
            let at = (round + at) % contenders.len();
            contenders[at].load(rate, seconds);
        }
    }
    for contender in &mut contenders {
        contender.server.check(contender.requests);
    }
    print(&contenders, rounds);
}

impl Contender {
    /// Sends each request as soon as a connection is free.
    fn saturate(&mut self, requests: u64) {
        let run = self.client.run(requests, None);
        self.per_second
            .push(requests as f64 / run.elapsed.as_secs_f64());
        self.requests += requests;
    }

    fn load(&mut self, rate: f64, seconds: f64) {
        let requests = (rate * seconds) as u64;
        let run = self.client.run(requests, Some(rate));
        let micros = |latency: &Duration| latency.as_nanos() as f64 / 1000.0;
        let latencies: Vec<_> = run.latencies.iter().map(micros).collect();
        for (samples, (_, share)) in self.quantiles.iter_mut().zip(QUANTILES) {
            samples.push(quantile(latencies.clone(), share));
        }
        self.requests += requests;
    }
}

fn print(contenders: &[Contender], rounds: usize) {
    println!(
        "## Latency of a whole service\n\n{rounds} rounds, HTTP/1.1, {CONNECTIONS} connections. \
         The highest number of requests a second; then latencies in µs at {:.0} % of the bare \
         service's rate, sent by schedule and counted from when they were due. On two noisy cores \
         only large differences show; no other verdict depends on this.\n",
        100.0 * LOAD
    );
    println!("| contender | requests/s | p50 | p99 | p99.9 | quartiles of p99.9 |");
    println!("|---|---:|---:|---:|---:|---:|");
    for contender in contenders {
        let [p50, p99, p999] = contender.quantiles.each_ref().map(|of| Spread::of(of));
        println!(
            "| {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} .. {:.0} |",
            contender.name,
            Spread::of(&contender.per_second).median,
            p50.median,
            p99.median,
            p999.median,
            p999.low,
            p999.high
        );
    }
    let over_bare = |contender: &Contender| {
        paired(
            &contender.quantiles[2],
            &contenders[0].quantiles[2],
            |a, b| a / b,
        )
    };
    let again = over_bare(contenders.last().expect("the A/A control"));
    let noise = quantile(again.clone(), 0.9);
    println!(
        "\np99.9 of bare, again (A/A) / bare: {:.2} in the median, at most {noise:.2} in nine rounds \
         of ten.\n",
        Spread::of(&again).median
    );
    for contender in contenders {
        if let Middleware::Ours | Middleware::OursAround = contender.middleware {
            let found = Figure::of(&over_bare(contender));
            let limit = (100.0 * noise).round() / 100.0;
            goal(
                &format!("p99.9 / bare, {}, within that", contender.name),
                found,
                limit,
            );
        }
    }
    println!();
}
