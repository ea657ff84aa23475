//! Programs that end with us, whatever happens.

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
    /// Its output goes to a file of its name.
    pub fn start(program: &Path, args: &[String], name: &str, dir: &Path) -> Result<Self> {
        let log = File::create(dir.join(format!("{name}.log")))?;
        // If we are killed, nobody is left to kill it: the kernel does.
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

/// Nobody has it at this moment; who wants it has to be ready to lose it.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Looks again and again until there is something, or the time is over.
pub fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if started.elapsed() > limit {
            return Err(format!("{what}: not within {} s", limit.as_secs()).into());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The demo, on ports of its choice.
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
                    // May be half written.
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
