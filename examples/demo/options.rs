//! The command line.

use std::net::SocketAddr;
use std::time::Duration;

use lexopt::prelude::*;

const USAGE: &str = "\
An axum service with the layer on, and clients that send it real HTTP.

Usage: demo [OPTIONS]

  --app ADDR       address of the service         (default 127.0.0.1:8080; port 0: any free port)
  --metrics ADDR   address of the metrics         (default 127.0.0.1:9464; port 0: any free port)
  --for SECONDS    how long to run                (default 20; 0: until Ctrl-C)
  --traffic KIND   what the clients send          (default all)
                     all      healthy traffic and handlers that block, with one burst of
                              requests that fills the blocking pool
                     healthy  no handler blocks the executor
                     faulty   as all, but the burst repeats and a worker is stuck for 12 seconds
                              every 20 seconds
  --no-traffic     send nothing
  --help           print this text
";

/// What the clients send.
#[derive(Clone, Copy, PartialEq)]
pub enum Traffic {
    None,
    Healthy,
    All,
    Faulty,
}

pub struct Options {
    pub app: SocketAddr,
    pub metrics: SocketAddr,
    /// `None`: until Ctrl-C.
    pub duration: Option<Duration>,
    pub traffic: Traffic,
}

/// Returns `None` after printing the help text.
pub fn parse() -> crate::Result<Option<Options>> {
    let mut options = Options {
        app: ([127, 0, 0, 1], 8080).into(),
        metrics: ([127, 0, 0, 1], 9464).into(),
        duration: Some(Duration::from_secs(20)),
        traffic: Traffic::All,
    };
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("app") => options.app = args.value()?.parse()?,
            Long("metrics") => options.metrics = args.value()?.parse()?,
            Long("for") => {
                let seconds: u64 = args.value()?.parse()?;
                options.duration = (seconds > 0).then(|| Duration::from_secs(seconds));
            }
            Long("traffic") => options.traffic = kind(&args.value()?.string()?)?,
            Long("no-traffic") => options.traffic = Traffic::None,
            Long("help") | Short('h') => {
                print!("{USAGE}");
                return Ok(None);
            }
            other => return Err(format!("{}\n\n{USAGE}", other.unexpected()).into()),
        }
    }
    Ok(Some(options))
}

fn kind(name: &str) -> crate::Result<Traffic> {
    match name {
        "healthy" => Ok(Traffic::Healthy),
        "all" => Ok(Traffic::All),
        "faulty" => Ok(Traffic::Faulty),
        _ => Err(format!("--traffic is {name:?}; allowed: all, healthy, faulty").into()),
    }
}
