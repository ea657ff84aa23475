use std::net::SocketAddr;
use std::time::Duration;

use lexopt::prelude::*;

const USAGE: &str = "\
A real axum service with the layer on, and traffic for it.

  --app ADDR       where the service listens    (default 127.0.0.1:8080; port 0 picks one)
  --metrics ADDR   where the exporter listens   (default 127.0.0.1:9464; port 0 picks one)
  --for SECONDS    how long to run              (default 20; 0: until Ctrl-C)
  --traffic KIND   healthy: nothing that blocks; faulty: faults that go on, a worker
                   stuck for seconds among them   (default all: some of each)
  --no-traffic     only serve
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
    pub length: Option<Duration>,
    pub traffic: Traffic,
}

/// `None` if help was asked for, and given.
pub fn parse() -> crate::Result<Option<Options>> {
    let mut options = Options {
        app: ([127, 0, 0, 1], 8080).into(),
        metrics: ([127, 0, 0, 1], 9464).into(),
        length: Some(Duration::from_secs(20)),
        traffic: Traffic::All,
    };
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("app") => options.app = args.value()?.parse()?,
            Long("metrics") => options.metrics = args.value()?.parse()?,
            Long("for") => {
                let seconds: u64 = args.value()?.parse()?;
                options.length = (seconds > 0).then(|| Duration::from_secs(seconds));
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
        _ => Err(format!("--traffic {name}: healthy, all or faulty\n\n{USAGE}").into()),
    }
}
