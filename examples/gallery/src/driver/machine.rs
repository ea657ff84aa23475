//! Row 21: a machine that is short of processors.

use std::io;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tower_runtime_health::Cause;

use super::client::{Client, Replied};
use super::observe::Observed;
use super::{Target, outcome};
use crate::table::Row;

/// More than happen by chance on a busy machine.
pub const ENOUGH: u64 = 10;
const LONGEST: Duration = Duration::from_secs(25);

/// Sends the row's requests beside three busy processes to each processor, until enough
/// polls were preempted.
pub async fn starve(
    target: &Target,
    row: &'static Row,
    client: &Client,
    before: &Observed,
) -> Vec<Replied> {
    let processors = std::thread::available_parallelism().map_or(2, |count| count.get());
    let hogs: io::Result<Vec<Hog>> = (0..3 * processors).map(|_| Hog::start()).collect();
    let hogs = match hogs {
        Ok(hogs) => hogs,
        Err(error) => return vec![Err(format!("cannot start a busy process: {error}"))],
    };
    let deadline = Instant::now() + LONGEST;
    let mut replies = Vec::new();
    loop {
        replies.extend(client.send(row, row.requests).await);
        let new = outcome::new_findings(&before.findings, &target.health.findings());
        let preempted = new
            .iter()
            .filter(|finding| &*finding.route == row.route && finding.cause == Cause::Preempted);
        let polls: u64 = preempted.map(|finding| finding.polls).sum();
        if polls >= ENOUGH || Instant::now() > deadline {
            break;
        }
    }
    drop(hogs);
    replies
}

/// This program again, busy until it is dropped.
struct Hog(Child);

impl Hog {
    fn start() -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let command = command
            .arg("hog")
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        Ok(Self(command.spawn()?))
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ends with its standard input: no hog outlives who started it.
pub fn hog() -> io::Result<()> {
    std::thread::Builder::new().spawn(|| {
        loop {
            crate::video::encode(Duration::from_secs(1));
        }
    })?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}
