//! Measures a scrape, and its effect on the service meanwhile.
//!
//!   scrape [--short]

mod server;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use server::Server;
use tower_runtime_health_bench::http1::Client;
use tower_runtime_health_bench::table::{Figure, Spread, goal, paired, quantile};

const SERIES: [u64; 3] = [100, 1_000, 10_000];
/// The most CPU time of the exporter's thread, in milliseconds.
const LIMIT: f64 = 15.0;
const RATE: f64 = 4_000.0;
const CONNECTIONS: usize = 8;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [serve, series] = &arguments[..]
        && serve == "serve"
    {
        return server::run(series.parse().expect("a number"));
    }
    let is_short = arguments.iter().any(|argument| argument == "--short");
    scrapes(if is_short { 3 } else { 31 });
    let (rounds, seconds) = if is_short { (2, 0.2) } else { (15, 1.0) };
    effect(rounds, seconds);
}

/// Scrapes once. Returns how long it took, and the length of the page in bytes.
fn scrape(port: u16, gzip: bool) -> (Duration, usize) {
    let start = Instant::now();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");
    let encoding = if gzip { "gzip" } else { "identity" };
    let request =
        format!("GET /metrics HTTP/1.1\r\nhost: localhost\r\naccept-encoding: {encoding}\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .expect("it is connected");
    let mut page = Vec::new();
    stream.read_to_end(&mut page).expect("a page, to its end");
    assert!(page.starts_with(b"HTTP/1.1 200 OK\r\n"));
    let head = page
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .expect("a head");
    let is_gzip = String::from_utf8_lossy(&page[..head]).contains("content-encoding: gzip");
    assert_eq!(is_gzip, gzip);
    (start.elapsed(), page.len() - head - 4)
}

/// Calls `what` while the service is under load. Returns its result and the p99.
fn under_load<T>(server: &Server, seconds: f64, what: impl FnOnce(&AtomicBool) -> T) -> (T, f64) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut client = Client::connect(server.port, CONNECTIONS);
            let run = client.run((RATE * seconds) as u64, Some(RATE));
            over.store(true, Ordering::Relaxed);
            let micros = run.latencies.iter().map(|l| l.as_nanos() as f64 / 1000.0);
            quantile(micros.collect(), 0.99)
        });
        let result = what(&over);
        (result, load.join().expect("it does not panic"))
    })
}

fn scrapes(times: u32) {
    println!(
        "## A scrape\n\nMedians of {times}, with quartiles, while the service answers {RATE} requests a \
         second. CPU time is that of the exporter's thread.\n\n| series | | bytes | CPU ms | quartiles | \
         whole scrape ms |\n|---:|---|---:|---:|---:|---:|"
    );
    let mut largest = Vec::new();
    for series in SERIES {
        let mut server = Server::start(series);
        let lines = server.series();
        for gzip in [false, true] {
            let mut cpu = Vec::new();
            let mut whole = Vec::new();
            let mut bytes = 0;
            // The load lasts longer than the scrapes.
            under_load(&Server::at(server.port), 0.05 * f64::from(times), |_| {
                for _ in 0..times {
                    let before = server.exporter_cpu();
                    let (took, length) = scrape(server.exporter, gzip);
                    cpu.push((server.exporter_cpu() - before) / 1e6);
                    whole.push(took.as_secs_f64() * 1000.0);
                    bytes = length;
                }
            });
            let (cpu_spread, whole) = (Spread::of(&cpu), Spread::of(&whole));
            println!(
                "| {lines} | {} | {bytes} | {:.2} | {:.2} .. {:.2} | {:.2} |",
                if gzip { "gzip" } else { "plain" },
                cpu_spread.median,
                cpu_spread.low,
                cpu_spread.high,
                whole.median
            );
            if series == SERIES[2] {
                largest.push(Figure::of(&cpu));
            }
        }
        server.end();
    }
    println!();
    for (what, cpu) in ["plain", "with gzip"].into_iter().zip(largest) {
        goal(
            &format!("10,000 series, {what}: ms of the exporter's thread"),
            cpu,
            LIMIT,
        );
    }
    println!();
}

fn effect(rounds: u32, seconds: f64) {
    let server = Server::start(SERIES[2]);
    let mut p99 = [(); 3].map(|()| Vec::new());
    let mut scraped = 0;
    for round in 0..rounds as usize {
        for at in 0..3 {
            let which = (round + at) % 3;
            let ((), found) = under_load(&server, seconds, |over| {
                while which == 2 && !over.load(Ordering::Relaxed) {
                    scrape(server.exporter, true);
                    scraped += 1;
                    std::thread::sleep(Duration::from_secs(1));
                }
            });
            p99[which].push(found);
        }
    }
    server.end();
    assert!(scraped >= rounds, "there were scrapes");
    let [without, again, with] = &p99;
    let of = |samples: &[f64]| Spread::of(samples);
    println!(
        "### Scrapes of 10,000 series, once a second, and the service's p99\n\n{rounds} rounds; µs at {RATE} \
         requests a second: {:.0} ({:.0} .. {:.0}) without scrapes, {:.0} ({:.0} .. {:.0}) without \
         again, {:.0} ({:.0} .. {:.0}) with.\n",
        of(without).median,
        of(without).low,
        of(without).high,
        of(again).median,
        of(again).low,
        of(again).high,
        of(with).median,
        of(with).low,
        of(with).high
    );
    let noise = quantile(paired(again, without, |a, b| a / b), 0.9);
    let ratio = Figure::of(&paired(with, without, |a, b| a / b));
    println!("Without scrapes, again (A/A) / without: at most {noise:.2} in nine rounds of ten.\n");
    let limit = (100.0 * noise).round() / 100.0;
    goal("p99 with scrapes / without, within that", ratio, limit);
    println!();
}
