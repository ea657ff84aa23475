//! Measures what the watchdog costs, and how soon it reports.
//!
//!   watchdog [--short]

mod finding;
mod load;

fn main() {
    let is_short = std::env::args().any(|argument| argument == "--short");
    let load = std::fs::read_to_string("/proc/loadavg").expect("Linux");
    let load = load.split(' ').next().unwrap_or_default();
    println!("## The watchdog\n\nLoad average of the machine before: {load}.\n");
    load::ticks(if is_short { 0.3 } else { 4.0 });
    load::idle(if is_short { 1 } else { 10 });
    finding::delays(if is_short { 5 } else { 220 });
}
