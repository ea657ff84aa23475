use std::sync::Arc;

use tokio::runtime::Handle;

use super::{Builder, RuntimeHealth};
use crate::clock::Clock;
use crate::error::{Error, Kind};
use crate::instance::KeepAlive;
use crate::offload::Offload;
use crate::pool_monitor::PoolMonitor;
use crate::state::State;
use crate::watchdog::Watchdog;

/// Owns the background threads of one instance; each stops when its owner is dropped.
struct Threads {
    _watchdog: Watchdog,
    _pool_monitor: PoolMonitor,
    #[cfg(feature = "server")]
    _exporter: Option<crate::export::Server>,
}

impl Builder {
    /// Checks the options, then starts the watchdog and, if asked for, the exporter.
    ///
    /// The first call in a process calibrates the clock, which takes up to 0.2 s.
    ///
    /// # Errors
    ///
    /// Returns an error, and leaves nothing running, if
    ///
    /// - an option is out of its range ([`Error::is_invalid_option`]),
    /// - the service itself handles the signal of
    ///   [`interrupt_running_threads`](Self::interrupt_running_threads)
    ///   ([`Error::is_invalid_option`]),
    /// - no runtime was given and there is no current one ([`Error::is_missing_runtime`]),
    /// - the exporter cannot listen on its address ([`Error::is_bind`]),
    /// - a thread cannot be started ([`Error::is_thread`]).
    pub fn start(mut self) -> Result<RuntimeHealth, Error> {
        self.options.validate()?;
        if self.runtimes.is_empty() && self.needs_runtime {
            let current = Handle::try_current().map_err(Kind::MissingRuntime)?;
            self.runtimes.push((current, "main".into()));
        }
        if self.options.interrupt_running_threads {
            crate::capture::install_signal_handler().map_err(Kind::Signal)?;
        }
        #[cfg(feature = "server")]
        let listener = self.serve.map(crate::export::Listener::bind).transpose()?;

        let state = Arc::new(State::new(self.options, Clock::new()));
        for (handle, name) in self.runtimes {
            let (bounds, max) = (
                state.instance.recorder.bounds(),
                state.options.max_blocking_threads,
            );
            state
                .runtimes
                .observe(handle, name, bounds, max, state.clock())?;
        }
        let offload = Offload::start(Arc::clone(&state))?;
        let watchdog = Watchdog::start(Arc::clone(&state), offload.clone())?;
        let pool_monitor = PoolMonitor::start(Arc::clone(&state), offload)?;
        #[cfg(feature = "server")]
        let exporter = listener
            .map(|listener| listener.serve(Arc::clone(&state)))
            .transpose()?;
        #[cfg(feature = "server")]
        let metrics_addr = exporter.as_ref().map(crate::export::Server::addr);
        let threads = Threads {
            _watchdog: watchdog,
            _pool_monitor: pool_monitor,
            #[cfg(feature = "server")]
            _exporter: exporter,
        };
        Ok(RuntimeHealth {
            keep_alive: Arc::new(KeepAlive::new(Arc::clone(&state.instance), threads)),
            state,
            #[cfg(feature = "server")]
            metrics_addr,
        })
    }
}
