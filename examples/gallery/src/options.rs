//! The command line.

use std::net::SocketAddr;
use std::time::Duration;

use lexopt::prelude::*;

use crate::run::Error;

const HELP: &str = "\
Every way people write a handler, good and bad, as a running service.

cargo run --release -p gallery -- [COMMAND] [OPTIONS]

Commands:
  serve      the service and its page (default)
  compare    100 requests at once through a pool of 40 threads, and awaited
  patterns   tries every row and writes docs/patterns.md's sections to standard output
  worker     works off the jobs on Redis until standard input ends; serve starts one

Options:
  --app ADDR       the service                    [127.0.0.1:8080]
  --metrics ADDR   /metrics and /findings         [127.0.0.1:9464]
  --work SECONDS   how long slow work takes       [1], at least 0.1
  --postgres URL   for rows 9 to 11               [DATABASE_URL]
  --redis URL      for row 8's second form        [REDIS_URL]
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Serve,
    Compare,
    Patterns,
    Worker,
    /// Keeps a processor busy until standard input ends: part of row 21.
    Hog,
    Help,
}

#[derive(Clone, Debug)]
pub struct Options {
    pub command: Command,
    pub app: SocketAddr,
    pub metrics: SocketAddr,
    pub work: Duration,
    pub postgres: Option<String>,
    pub redis: Option<String>,
}

/// From the arguments and the usual variables of the environment.
pub fn parse() -> Result<Options, Error> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut options = Options {
        command: Command::Serve,
        app: ([127, 0, 0, 1], 8080).into(),
        metrics: ([127, 0, 0, 1], 9464).into(),
        work: Duration::from_secs(1),
        postgres: variable("DATABASE_URL"),
        redis: variable("REDIS_URL"),
    };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("app") => options.app = arguments.value()?.parse()?,
            Long("metrics") => options.metrics = arguments.value()?.parse()?,
            Long("work") => options.work = work(arguments.value()?.parse()?)?,
            Long("postgres") => options.postgres = Some(arguments.value()?.string()?),
            Long("redis") => options.redis = Some(arguments.value()?.string()?),
            Short('h') | Long("help") => options.command = Command::Help,
            Value(command) => {
                options.command = match command.string()?.as_str() {
                    "serve" => Command::Serve,
                    "compare" => Command::Compare,
                    "patterns" => Command::Patterns,
                    "worker" => Command::Worker,
                    "hog" => Command::Hog,
                    other => return Err(format!("no command {other}; --help lists them").into()),
                }
            }
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(options)
}

/// Ten times the threshold at least: what is shorter tells little.
fn work(seconds: f64) -> Result<Duration, Error> {
    if (0.1..=60.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(format!("--work {seconds}: give it from 0.1 to 60 seconds").into())
    }
}

pub fn help() {
    print!("{HELP}");
}
