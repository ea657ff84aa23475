use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::event::Event;
use crate::error::{Error, Kind};
use crate::health::Shared;

const NAME: &str = "health-report";

/// Reports that wait to be taken; more are dropped, and counted.
const MOST: usize = 256;

/// What the watchdog has somebody else do.
///
/// Its own thread has a descriptor table of its own. There, the descriptors of
/// a subscriber's log file or of a runtime's waker mean nothing, or something
/// else. And a slow subscriber must not hold up the looks.
#[derive(Debug)]
pub(super) enum Report {
    /// Log that the watchdog has begun, and how it reads threads.
    Started {
        capture: &'static str,
    },
    Event(Event),
    /// Send the runtimes their probes.
    Probe,
}

/// The way to the thread that takes the reports. It ends, and lets go of
/// `shared`, after this is dropped.
#[derive(Clone, Debug)]
pub(super) struct Reporter(SyncSender<Report>);

impl Reporter {
    pub(super) fn start(shared: Arc<Shared>) -> Result<Self, Error> {
        let (sender, reports) = sync_channel(MOST);
        std::thread::Builder::new()
            .name(NAME.into())
            .spawn(move || run(&shared, &reports))
            .map_err(|source| Kind::Thread { name: NAME, source })?;
        Ok(Self(sender))
    }

    /// False if it was dropped, because too many wait.
    pub(super) fn send(&self, report: Report) -> bool {
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
        };
        if !done {
            shared.findings.count_dropped(1);
        }
    }
}
