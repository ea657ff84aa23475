//! Prometheus and Alertmanager on loopback, with shortened windows.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::process::{Process, free_port, until};
use crate::Result;
use crate::config::Config;
use crate::{rules, yaml};

/// Seconds between two scrapes, and between two evaluations.
pub const INTERVAL: u64 = 2;

/// A job's name, its labels and its targets.
pub struct Job {
    pub name: &'static str,
    pub labels: Value,
    pub targets: Vec<String>,
}

pub struct Stack {
    prometheus: Process,
    alertmanager: Process,
    pub url: String,
}

/// Returns a configuration with windows divided by 15 and `for` durations by 30.
pub fn shortened() -> Config {
    Config {
        window_divisor: 15,
        for_divisor: 30,
        ..Config::default()
    }
}

impl Stack {
    pub fn start(dir: &Path, webhook: &str, jobs: &[Job]) -> Result<Self> {
        let routes = json!({
            "route": {
                "receiver": "webhook",
                "group_by": ["..."],
                "group_wait": "0s",
                "group_interval": "2s",
                "repeat_interval": "1h",
            },
            "receivers": [{"name": "webhook", "webhook_configs": [{"url": webhook}]}],
        });
        let file = write(dir, "alertmanager.yml", &routes)?;
        let (alertmanager, alerts) = listening("alertmanager", dir, |port| {
            vec![
                format!("--config.file={file}"),
                format!("--web.listen-address=127.0.0.1:{port}"),
                format!("--storage.path={}", dir.join("alertmanager").display()),
                // A single instance has no cluster to join.
                "--cluster.listen-address=".into(),
            ]
        })?;

        let config = shortened();
        write(dir, "rules.yml", &rules::recording(&config))?;
        write(dir, "alerts.yml", &rules::alerting(&config))?;
        let every = format!("{INTERVAL}s");
        let scrapes: Vec<_> = jobs
            .iter()
            .map(|job| {
                json!({
                    "job_name": job.name,
                    "static_configs": [{"targets": job.targets, "labels": job.labels}],
                })
            })
            .collect();
        let scraping = json!({
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
            "rule_files": ["rules.yml", "alerts.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alerts]}]}]},
            "scrape_configs": scrapes,
        });
        let file = write(dir, "prometheus.yml", &scraping)?;
        let (prometheus, address) = listening("prometheus", dir, |port| {
            vec![
                format!("--config.file={file}"),
                format!("--web.listen-address=127.0.0.1:{port}"),
                format!("--storage.tsdb.path={}", dir.join("prometheus").display()),
            ]
        })?;
        Ok(Self {
            prometheus,
            alertmanager,
            url: format!("http://{address}"),
        })
    }

    pub fn check(&mut self) -> Result<()> {
        self.prometheus.check()?;
        self.alertmanager.check()
    }
}

fn write(dir: &Path, name: &str, value: &Value) -> Result<String> {
    let path = dir.join(name);
    std::fs::write(&path, yaml::file(value))?;
    Ok(path.display().to_string())
}

/// Starts a program on a free port. Retries if another process took the port.
fn listening(
    name: &str,
    dir: &Path,
    args: impl Fn(u16) -> Vec<String>,
) -> Result<(Process, String)> {
    let program = find(name)?;
    let mut last = None;
    for _ in 0..3 {
        let port = free_port()?;
        let address = format!("127.0.0.1:{port}");
        let mut process = Process::start(&program, &args(port), name, dir)?;
        let ready = format!("http://{address}/-/ready");
        let up = until(name, Duration::from_secs(30), || {
            process.check()?;
            Ok(ureq::get(&ready).call().is_ok().then_some(()))
        });
        match up {
            Ok(()) => return Ok((process, address)),
            Err(error) => last = Some(error),
        }
    }
    let log = std::fs::read_to_string(dir.join(format!("{name}.log"))).unwrap_or_default();
    Err(format!("{}\n{log}", last.map_or(String::new(), |e| e.to_string())).into())
}

/// Finds a program by its own name or by the name of its Debian package.
fn find(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = [name.to_owned(), format!("prometheus-{name}")];
    std::env::split_paths(&path)
        .flat_map(|dir| {
            names
                .iter()
                .map(move |name| dir.join(name))
                .collect::<Vec<_>>()
        })
        .find(|file| file.is_file())
        .ok_or_else(|| format!("{name} is not installed: see ci/setup.sh").into())
}
