//! Child processes that never outlive this process.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;

/// Killed when dropped.
pub struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// Starts a program. Its output goes to `NAME.log` in `dir`.
    pub fn start(program: &Path, args: &[String], name: &str, dir: &Path) -> Result<Self> {
        let log = File::create(dir.join(format!("{name}.log")))?;
        // If this process is killed, `drop` does not run: the kernel ends the child.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "--"])
            .arg(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", program.display()))?;
        Ok(Self {
            child,
            name: name.into(),
        })
    }

    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => Err(format!("{} ended: {status}", self.name).into()),
            None => Ok(()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a port that is free now. Another process may take it before the caller does.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Polls until there is a value or the time limit has passed.
pub fn until<T>(
    what: &str,
    limit: Duration,
    mut poll: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(value) = poll()? {
            return Ok(value);
        }
        if started.elapsed() > limit {
            return Err(format!("{what}: not within {} s", limit.as_secs()).into());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The demo, listening on ports that the kernel chose.
pub struct Demo {
    process: Process,
    pub metrics: SocketAddr,
}

impl Demo {
    pub fn start(program: &Path, traffic: &str, name: &str, dir: &Path) -> Result<Self> {
        let args = "--app 127.0.0.1:0 --metrics 127.0.0.1:0 --for 0 --traffic"
            .split(' ')
            .chain([traffic])
            .map(String::from)
            .collect::<Vec<_>>();
        let mut process = Process::start(program, &args, name, dir)?;
        let log = dir.join(format!("{name}.log"));
        let metrics = until(name, Duration::from_secs(20), || {
            process.check()?;
            for line in BufReader::new(File::open(&log)?).lines() {
                if let Some(address) = line?.strip_prefix("metrics http://") {
                    // The line may be incomplete.
                    return Ok(address.parse().ok());
                }
            }
            Ok(None)
        })?;
        Ok(Self { process, metrics })
    }

    pub fn check(&mut self) -> Result<()> {
        self.process.check()
    }
}
