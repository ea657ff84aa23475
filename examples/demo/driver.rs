//! Runs the clients, scrapes the metrics and shows the progress.
//!
//! All of this is on a thread of its own: it has to work while the service's workers are
//! blocked.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::options::Options;
use crate::table::Observer;
use crate::traffic::{self, Traffic};

const SCRAPE_INTERVAL: Duration = Duration::from_millis(200);
/// Without a terminal, one progress line for so many scrapes.
const SCRAPES_PER_LINE: usize = 25;

pub struct Driver {
    running: Arc<AtomicBool>,
    finished: oneshot::Receiver<()>,
    thread: JoinHandle<std::io::Result<Option<Traffic>>>,
}

impl Driver {
    pub fn start(
        app: SocketAddr,
        options: &Options,
        observer: Arc<Observer>,
    ) -> std::io::Result<Self> {
        let (kind, duration) = (options.traffic, options.duration);
        let running = Arc::new(AtomicBool::new(true));
        let still_running = Arc::clone(&running);
        let (sender, finished) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("demo-driver".into())
            .spawn(move || {
                let started = Instant::now();
                let traffic = traffic::start(app, kind);
                while traffic.is_ok()
                    && still_running.load(Ordering::Relaxed)
                    && duration.is_none_or(|duration| started.elapsed() < duration)
                {
                    observer.scrape();
                    progress(&observer, started.elapsed(), duration);
                    std::thread::sleep(SCRAPE_INTERVAL);
                }
                observer.scrape();
                clear_progress();
                drop(sender);
                traffic
            })?;
        Ok(Self {
            running,
            finished,
            thread,
        })
    }

    /// Waits until the duration of the demo is over.
    pub async fn finished(&mut self) {
        // The thread never sends a value; it drops the sender.
        drop((&mut self.finished).await);
    }

    pub fn stop(&self) {
        self.running.store(false, Ordering::Relaxed);
    }

    /// Waits for the thread, then stops the clients.
    pub fn join(self) -> Result<(), String> {
        let traffic = self.thread.join();
        match traffic.map_err(|_| "the driver's thread panicked")? {
            Ok(traffic) => {
                drop(traffic);
                Ok(())
            }
            Err(error) => Err(format!("cannot start the clients: {error}")),
        }
    }
}

fn progress(observer: &Observer, elapsed: Duration, duration: Option<Duration>) {
    let mut stderr = std::io::stderr();
    let seconds = elapsed.as_secs();
    // A closed stderr is no reason to end the demo.
    if stderr.is_terminal() {
        let of = duration.map_or(String::new(), |duration| format!("/{}", duration.as_secs()));
        let line = observer.progress();
        let _ = write!(stderr, "\r\x1b[2K{seconds:>3}{of} s  {line}");
        let _ = stderr.flush();
    } else if observer.scrapes() % SCRAPES_PER_LINE == 1 {
        let _ = writeln!(stderr, "{seconds:>3} s  {}", observer.progress());
    }
}

/// Clears the progress line of a terminal.
pub fn clear_progress() {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[2K");
    }
}
