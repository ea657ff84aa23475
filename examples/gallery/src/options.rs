//! The command line.

use std::net::SocketAddr;
use std::time::Duration;

use lexopt::prelude::*;

use crate::run::Error;

const HELP: &str = "\
Common ways to write a handler, good and bad, as a running service with the layer on.

Usage: cargo run --release -p gallery -- [COMMAND] [OPTIONS]

Commands:
  serve      run the service and its page (default)
  compare    send 100 requests at once, on a pool of 40 threads and awaited, and compare
  patterns   try every row and write docs/patterns.md to standard output
  worker     run the jobs from Redis until standard input closes; serve starts a worker itself

Options:
  --app ADDR       address of the service and its page  (default 127.0.0.1:8080)
  --metrics ADDR   address of /metrics and /findings    (default 127.0.0.1:9464)
  --work SECONDS   duration of slow work, 0.1 to 60     (default 1)
  --postgres URL   PostgreSQL, for rows 9 to 11         (default: DATABASE_URL)
  --redis URL      Redis, for row 8-redis               (default: REDIS_URL)
  --help           print this text
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Serve,
    Compare,
    Patterns,
    Worker,
    /// Keeps a processor busy until standard input closes; row 21 starts such processes.
    Busy,
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

/// Reads the arguments, with the environment for defaults.
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
                    "busy" => Command::Busy,
                    other => {
                        return Err(format!(
                            "unknown command {other:?}; --help lists the commands"
                        )
                        .into());
                    }
                }
            }
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(options)
}

/// At least ten times the threshold, so that slow work is clearly longer than it.
fn work(seconds: f64) -> Result<Duration, Error> {
    if (0.1..=60.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(format!("--work is {seconds}; allowed: 0.1 to 60 seconds").into())
    }
}

pub fn help() {
    print!("{HELP}");
}
