use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::event::Event;
#[cfg(all(feature = "capture", target_os = "linux"))]
use crate::capture::SocketEnds as Ends;
use crate::error::{Error, Kind};
use crate::health::Shared;
use crate::pool::{self, PoolFinding};

const NAME: &str = "health-report";

/// Reports that wait to be taken; more are dropped, and counted.
const MOST: usize = 256;

/// What the watchdog has somebody else do.
///
/// Its own thread has a descriptor table of its own. There, the descriptors of
/// a subscriber's log file or of a runtime's waker mean nothing, or something
/// else. And a slow subscriber must not hold up the looks.
#[derive(Debug)]
pub(crate) enum Report {
    /// Log that the watchdog has begun, and how it reads threads.
    Started { capture: &'static str },
    #[allow(private_interfaces, reason = "made and taken in this room")]
    Event(Event),
    /// Send the runtimes their probes.
    Probe,
    /// Log what there is to say of a pool.
    Pool(Box<PoolFinding>, pool::Moment),
    /// Send the pools those probes that are wanted.
    PoolProbes,
    /// Say what a socket is, by its number and inode.
    #[cfg(all(feature = "capture", target_os = "linux"))]
    Socket(i32, u64, SyncSender<Option<Ends>>),
}

/// The way to the thread that takes the reports. It ends, and lets go of
/// `shared`, after this is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Reporter(SyncSender<Report>);

impl Reporter {
    pub(crate) fn start(shared: Arc<Shared>) -> Result<Self, Error> {
        let (sender, reports) = sync_channel(MOST);
        std::thread::Builder::new()
            .name(NAME.into())
            .spawn(move || run(&shared, &reports))
            .map_err(|source| Kind::Thread { name: NAME, source })?;
        Ok(Self(sender))
    }

    /// What a socket of the service is; `None` if this is busy.
    #[cfg(all(feature = "capture", target_os = "linux"))]
    pub(super) fn socket(&self, number: i32, inode: u64) -> Option<Ends> {
        const PATIENCE: std::time::Duration = std::time::Duration::from_millis(2);
        let (answer, found) = sync_channel(1);
        let sent = self.send(Report::Socket(number, inode, answer));
        sent.then(|| found.recv_timeout(PATIENCE).ok())??
    }

    /// False if it was dropped, because too many wait.
    pub(crate) fn send(&self, report: Report) -> bool {
        self.0.try_send(report).is_ok()
    }
}

fn run(shared: &Shared, reports: &Receiver<Report>) {
    for report in reports {
        let done = match report {
            Report::Started { capture } => super::event::log_start(&shared.options, capture),
            Report::Event(event) => event.log(),
            Report::Probe => {
                shared.probe_runtimes();
                true
            }
            Report::Pool(finding, moment) => pool::log(&finding, moment),
            Report::PoolProbes => {
                shared.runtimes.probe_pools(&shared.instance.clock);
                true
            }
            #[cfg(all(feature = "capture", target_os = "linux"))]
            Report::Socket(number, inode, answer) => {
                let _ = answer.send(crate::capture::answer_socket(number, inode));
                true
            }
        };
        if !done {
            shared.findings.count_dropped(1);
        }
    }
}
