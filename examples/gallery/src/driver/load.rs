//! Row 21: requests on a machine that is short of CPU.

use std::io;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tower_runtime_health::Cause;

use super::client::{Client, Replied};
use super::observe::Observed;
use super::{Target, describe};
use crate::table::Row;

/// More preempted polls than happen by chance on a busy machine.
pub const ENOUGH: u64 = 10;
const DEADLINE: Duration = Duration::from_secs(25);

/// Starts three busy processes per processor and sends the row's requests until enough polls
/// were preempted.
pub async fn send_under_load(
    target: &Target,
    row: &'static Row,
    client: &Client,
    before: &Observed,
) -> Vec<Replied> {
    let processors = std::thread::available_parallelism().map_or(2, |count| count.get());
    let busy: io::Result<Vec<BusyProcess>> =
        (0..3 * processors).map(|_| BusyProcess::start()).collect();
    let busy = match busy {
        Ok(busy) => busy,
        Err(error) => return vec![Err(format!("cannot start a busy process: {error}"))],
    };
    let deadline = Instant::now() + DEADLINE;
    let mut replies = Vec::new();
    loop {
        replies.extend(client.send(row, row.requests).await);
        let new = describe::new_findings(&before.findings, &target.health.findings());
        let preempted = new
            .iter()
            .filter(|finding| &*finding.route == row.route && finding.cause == Cause::Preempted);
        let polls: u64 = preempted.map(|finding| finding.polls).sum();
        if polls >= ENOUGH || Instant::now() > deadline {
            break;
        }
    }
    drop(busy);
    replies
}

/// A second process of this program that keeps a processor busy until it is dropped.
struct BusyProcess(Child);

impl BusyProcess {
    fn start() -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let command = command
            .arg("busy")
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        Ok(Self(command.spawn()?))
    }
}

impl Drop for BusyProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Computes until standard input ends, so that the process cannot outlive its parent.
pub fn keep_busy() -> io::Result<()> {
    std::thread::Builder::new()
        .name("gallery-busy".into())
        .spawn(|| {
            loop {
                crate::video::encode(Duration::from_secs(1));
            }
        })?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}
