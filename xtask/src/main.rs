//! Tasks of this repository:
//!
//! ```text
//! cargo run -p xtask -- dashboards [--out DIR] [--prefix NAME] [--objective SHARE] [--runbook URL]
//! cargo run -p xtask -- rooms
//! cargo run -p xtask -- live --demo FILE --unstable FILE --dir DIR [--keep]
//! ```

#![allow(clippy::disallowed_methods, reason = "these rules are for the library")]

mod alerts;
mod config;
mod dashboards;
mod expr;
mod files;
#[cfg(test)]
mod lint;
mod live;
mod rooms;
mod rule_tests;
mod rules;
mod signals;
mod thresholds;
mod yaml;

use std::path::PathBuf;
use std::process::ExitCode;

use config::Config;
use lexopt::prelude::*;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const USAGE: &str = "\
cargo run -p xtask -- dashboards   generate dashboards/ from the table of metrics

  --out DIR          output directory                      (default dashboards)
  --prefix NAME      the builder's `namespace`             (default runtime_health)
  --objective SHARE  share of polls to finish in 10 ms     (default 0.999)
  --runbook URL      URL of your copy of RUNBOOK.md

cargo run -p xtask -- rooms        print what each room of the library uses; fail on an upward import

cargo run -p xtask -- live         test the dashboards on live data; see ci/dashboards.sh

  --demo FILE        the demo
  --unstable FILE    the demo, built with tokio_unstable
  --dir DIR          directory for the files of the run
  --keep             keep everything running until Ctrl-C
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut config = Config::default();
    let mut out = dashboards_dir();
    let mut command = None;
    let (mut demo, mut unstable, mut dir, mut keep) = (None, None, None, false);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Value(value) if command.is_none() => command = Some(value.string()?),
            Long("out") => out = args.value()?.into(),
            Long("prefix") => config.prefix = args.value()?.string()?,
            Long("objective") => config.objective = objective(&args.value()?.string()?)?,
            Long("runbook") => config.runbook = args.value()?.string()?,
            Long("demo") => demo = Some(args.value()?.into()),
            Long("unstable") => unstable = Some(args.value()?.into()),
            Long("dir") => dir = Some(args.value()?.into()),
            Long("keep") => keep = true,
            Long("help") | Short('h') => {
                print!("{USAGE}");
                return Ok(());
            }
            other => return Err(format!("{}\n\n{USAGE}", other.unexpected()).into()),
        }
    }
    match command.as_deref() {
        Some("dashboards") => write(&config, &out),
        Some("rooms") => rooms::run(),
        Some("live") => match (demo, unstable, dir) {
            (Some(demo), Some(unstable), Some(dir)) => live::run(&live::Options {
                demo,
                unstable,
                dir,
                keep,
            }),
            _ => Err(USAGE.into()),
        },
        _ => Err(USAGE.into()),
    }
}

fn objective(text: &str) -> Result<f64> {
    let share: f64 = text.parse()?;
    if share > 0.0 && share < 1.0 {
        Ok(share)
    } else {
        Err(format!("--objective {text}: must be between 0 and 1, such as 0.999").into())
    }
}

/// Returns `dashboards/` of the repository.
fn dashboards_dir() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../dashboards"))
}

fn write(config: &Config, out: &std::path::Path) -> Result<()> {
    for (path, content) in files::all(config) {
        let path = out.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, content)?;
        println!("{}", path.display());
    }
    Ok(())
}
