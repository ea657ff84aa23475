//! A labelled corpus: handlers that block an executor, and handlers that do not. A real service with
//! the layer serves each, and real HTTP requests drive it, one after the other. The label of a case
//! is what the layer must report about it. The table at the end shows what it reported.
//!
//! This is a binary of its own, without the test harness, because cases must not disturb each
//! other's times, some run in a child process, which is this executable again, and the harness does
//! not support `panic = "abort"`.
//!
//! ```text
//! cargo test --test corpus [-- [--runs N] [--all] [FILTER]]
//! ```
//!
//! `FILTER` is a part of a case's name. With `--all`, a case that cannot run on this machine is a
//! failure. The number in a case's name is the row of the gallery that it belongs to.

#![allow(
    clippy::disallowed_methods,
    reason = "a test may read the clock and start threads"
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
    // This case waits a second in each run, so the others run at the same time.
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
