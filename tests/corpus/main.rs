//! A labelled corpus: ways to block an executor, and ways not to, each served
//! by a real service with the layer on and driven by real HTTP requests, one
//! after the other. For each it is known what must be said about it; the table
//! at the end shows what was.
//!
//! A binary without the test harness: cases must not disturb each other's
//! times, some need a process of their own, which is this one run again, and
//! with `panic = "abort"` there is no harness.
//!
//! ```text
//! cargo test --test corpus [-- [--runs N] [--all] [FILTER]]
//! ```
//!
//! `FILTER` is a part of a case's name. `--all` fails if a case cannot run on
//! this machine.

#![allow(clippy::disallowed_methods, reason = "that law is for the library")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a case that cannot go on fails by panicking"
)]

#[macro_use]
mod case;

mod arguments;
mod children;
mod computing;
mod drive;
mod files;
mod foreign;
mod in_place;
mod innocent;
mod locking;
mod metronome;
mod network;
mod observed;
mod report;
mod resolving;
mod sleeping;
mod starved;
mod streaming;
mod stub;
#[path = "../support/mod.rs"]
mod support;
mod wrapping;

use std::process::ExitCode;

use arguments::{Arguments, Role};
use case::Corpus;
use drive::Driver;
use report::Report;

fn main() -> ExitCode {
    let arguments = match arguments::parse() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("corpus: {error}");
            return ExitCode::FAILURE;
        }
    };
    match arguments.role {
        Role::Whole => whole(&arguments),
        Role::Hog => starved::hog(),
        Role::Resolving => resolving::in_namespace(&arguments),
    }
}

fn whole(arguments: &Arguments) -> ExitCode {
    let mut report = Report::default();
    // It waits for a resolver, a second each time: others go on meanwhile.
    let resolving = resolving::start(arguments);
    let driver = Driver::start(corpus());
    for case in driver.cases() {
        if arguments.wants(case.name) {
            report.add(driver.run(case, arguments.runs));
        }
    }
    report.extend(resolving.finish());
    if arguments.wants(starved::NAME) {
        report.add(starved::run(&driver));
    }
    drop(driver);
    files::clean();
    report.print();
    report.verdict(arguments.all)
}

fn corpus() -> Corpus {
    let mut corpus = Corpus::default();
    sleeping::add(&mut corpus);
    network::add(&mut corpus);
    files::add(&mut corpus);
    locking::add(&mut corpus);
    children::add(&mut corpus);
    computing::add(&mut corpus);
    foreign::add(&mut corpus);
    streaming::add(&mut corpus);
    wrapping::add(&mut corpus);
    in_place::add(&mut corpus);
    innocent::add(&mut corpus);
    starved::add(&mut corpus);
    corpus
}
