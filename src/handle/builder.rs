use std::fmt;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::options::{Detail, Family, Options};

/// Builds a [`RuntimeHealth`](crate::RuntimeHealth), one option after the other; made by
/// [`RuntimeHealth::builder`](crate::RuntimeHealth::builder).
///
/// Every option has a default. [`start`](Self::start) checks all of them before it starts
/// anything, and its error names the option, its value and the allowed range. The page
/// `docs/options.md` has all of them in one table.
///
/// ```
/// use std::time::Duration;
/// use tower_runtime_health::RuntimeHealth;
///
/// # #[tokio::main] async fn main() -> Result<(), tower_runtime_health::Error> {
/// let health = RuntimeHealth::builder()
///     .threshold(Duration::from_millis(20))
///     .namespace("checkout_health")
///     .captures_per_second(None)
///     .start()?;
/// # Ok(()) }
/// ```
#[must_use = "nothing is observed before `start`"]
#[derive(Clone)]
pub struct Builder {
    pub(super) options: Options,
    pub(super) runtimes: Vec<(Handle, String)>,
    pub(super) needs_runtime: bool,
    #[cfg(feature = "server")]
    pub(super) serve: Option<std::net::SocketAddr>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            options: Options::default(),
            runtimes: Vec::new(),
            needs_runtime: true,
            #[cfg(feature = "server")]
            serve: None,
        }
    }

    /// Sets the duration from which a poll counts as *blocking*.
    ///
    /// Default: 10 ms. Range: 1 ms to 1 h.
    ///
    /// The watchdog wakes twice in this time while requests are polled, at least every 10 ms.
    pub fn threshold(mut self, threshold: Duration) -> Self {
        self.options.threshold = threshold;
        self
    }

    /// Sets the first part of every metric's name.
    ///
    /// Default: "runtime_health". Range: letters, digits and underscores, at least one, not a
    /// digit first.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.options.namespace = namespace.into();
        self
    }

    /// Sets how many routes get a label of their own. All others share `<overflow>`.
    ///
    /// Default: 512. Range: 1 to 65536.
    ///
    /// Memory grows with the routes in use: about 0.7 KiB for each route, method and thread.
    pub fn max_routes(mut self, max: usize) -> Self {
        self.options.max_routes = max;
        self
    }

    /// Sets how many findings are kept. When there are more, the least recently seen is
    /// evicted and counted in `findings_dropped_total`.
    ///
    /// Default: 256. Range: 1 to 65536.
    pub fn max_findings(mut self, max: usize) -> Self {
        self.options.max_findings = max;
        self
    }

    /// Sets the shortest time between two log events of one finding, and between two of one
    /// saturated blocking pool. The next event says how many were suppressed.
    ///
    /// Default: 60 s. Range: from 0. With 0, every blocking poll is logged.
    pub fn log_interval(mut self, interval: Duration) -> Self {
        self.options.log_interval = interval;
        self
    }

    /// Sets of how many requests one has its wake-to-poll delay measured, for
    /// `schedule_delay_seconds`; `None` measures none. While a thread has fewer than 100
    /// requests a second, every request is measured.
    ///
    /// Default: 8. Range: from 1, or `None` for off.
    ///
    /// A measured request costs two allocations and about 40 ns, and 20 ns per wake.
    pub fn schedule_delay_sampling(mut self, one_in: impl Into<Option<u32>>) -> Self {
        self.options.schedule_delay_sampling = one_in.into();
        self
    }

    /// Sets the time between two measurements of `scheduler_lag_seconds` while there are
    /// requests. Without requests, each scrape measures once.
    ///
    /// Default: 100 ms. Range: 10 ms to 1 h.
    pub fn scheduler_lag_interval(mut self, interval: Duration) -> Self {
        self.options.scheduler_lag_interval = interval;
        self
    }

    /// Sets the limit of the blocking pool that is shown and by which saturation is judged:
    /// the number given to [`tokio::runtime::Builder::max_blocking_threads`], which tokio does
    /// not expose. Has no effect on a runtime that was configured by
    /// [`configure_runtime`](crate::RuntimeHealth::configure_runtime), which knows its limit.
    ///
    /// Default: 512. Range: from 1. The default is tokio's own.
    pub fn max_blocking_threads(mut self, max: usize) -> Self {
        self.options.max_blocking_threads = max;
        self
    }

    /// Sets the shortest time between two probes of a blocking pool. A probe is an empty task,
    /// sent only while the pool looks full or nothing is known of it.
    ///
    /// Default: 1 s. Range: 100 ms to 1 h.
    ///
    /// A probe starts a thread where none is idle, and keeps idle threads alive.
    pub fn blocking_probe_interval(mut self, interval: Duration) -> Self {
        self.options.blocking_probe_interval = interval;
        self
    }

    /// Sets how long a blocking pool must be saturated before that is a finding and a log
    /// event.
    ///
    /// Default: 100 ms. Range: 10 ms to 1 h.
    pub fn pool_saturated_after(mut self, time: Duration) -> Self {
        self.options.pool_saturated_after = time;
        self
    }

    /// Sets how long a saturated pool may make no progress before it is reported as stuck.
    ///
    /// Default: 5 s. Range: 100 ms to 1 h.
    pub fn pool_stuck_after(mut self, time: Duration) -> Self {
        self.options.pool_stuck_after = time;
        self
    }

    /// Sets how long a task may occupy a thread of the blocking pool before that is a finding
    /// of its own. It is noticed within a second.
    ///
    /// Default: 60 s. Range: 100 ms to 24 h.
    pub fn long_blocking_task(mut self, time: Duration) -> Self {
        self.options.long_blocking_task = time;
        self
    }

    /// Sets how many stacks of blocking polls are read per second, over all threads; `None`
    /// reads none, and then no finding has a place.
    ///
    /// Default: 10. Range: from 1, or `None` for off.
    ///
    /// A stack costs the watchdog's thread 0.03 to 0.2 ms by its depth, and up to 2 ms if the
    /// thread is running. The thread that is read does none of this work.
    pub fn captures_per_second(mut self, max: impl Into<Option<u32>>) -> Self {
        self.options.captures_per_second = max.into();
        self
    }

    /// Sets the shortest time between two stacks of one route and kind of wait.
    ///
    /// Default: 10 s. Range: from 0. With 0, the stack of every blocking poll is read.
    pub fn capture_interval(mut self, interval: Duration) -> Self {
        self.options.capture_interval = interval;
        self
    }

    /// Sets whether a thread that is *running* in a blocking poll may be sent a signal
    /// (`SIGRTMAX - 3`) to read its stack, where the kernel offers no better way
    /// (`perf_event_open` is refused, as by Docker's default profile). Default: `false`.
    ///
    /// It can disturb the service: even with `SA_RESTART`, `read` with a timeout, `poll`,
    /// `epoll_wait`, `nanosleep` and others fail with `EINTR` if the signal arrives while the
    /// thread enters such a call. These failures are counted in `interrupted_calls_total`.
    /// Blocked threads are never sent a signal.
    pub fn interrupt_running_threads(mut self, allowed: bool) -> Self {
        self.options.interrupt_running_threads = allowed;
        self
    }

    /// Sets whether running threads are sampled (`perf_event_open`) even where a seccomp
    /// filter is in force. Default: `false`.
    ///
    /// A process cannot ask whether its filter allows the call. The default profiles of Docker
    /// and Kubernetes refuse it, which does no harm. systemd's `SystemCallFilter=` ends the
    /// process with `SIGSYS`, unless `SystemCallErrorNumber=` is set. Set this where the filter
    /// is known to allow or to refuse the call.
    pub fn sample_under_seccomp(mut self, allowed: bool) -> Self {
        self.options.sample_under_seccomp = allowed;
        self
    }

    /// Sets how much of every family of metrics is exported. Default: [`Detail::Full`].
    pub fn detail(mut self, detail: Detail) -> Self {
        for &family in Family::ALL {
            self.options.set_detail(family, detail);
        }
        self
    }

    /// Sets how much of one family of metrics is exported. A later
    /// [`detail`](Self::detail) replaces it.
    pub fn family_detail(mut self, family: Family, detail: Detail) -> Self {
        self.options.set_detail(family, detail);
        self
    }

    /// Adds a runtime to observe, with the value of its label `runtime`. Without any, the
    /// runtime in which [`start`](Self::start) is called is observed as `main`.
    pub fn observe_runtime(mut self, handle: &Handle, name: impl Into<String>) -> Self {
        self.runtimes.push((handle.clone(), name.into()));
        self
    }

    /// Sets that there is no runtime to observe yet, so that [`start`](Self::start) can be
    /// called outside of any. Later ones are
    /// [configured](crate::RuntimeHealth::configure_runtime) and
    /// [observed](crate::RuntimeHealth::observe_runtime).
    pub fn without_runtime(mut self) -> Self {
        self.needs_runtime = false;
        self
    }

    /// Sets the address at which `/metrics` and `/findings` are served over HTTP, by a thread
    /// that answers even while every worker of the service is stuck. Default: none is served.
    ///
    /// Port 0 takes a free port: [`metrics_addr`](crate::RuntimeHealth::metrics_addr) returns
    /// it. There is no authentication: listen on loopback, or where only the scraper reaches.
    #[cfg(feature = "server")]
    pub fn serve_metrics(mut self, addr: impl Into<std::net::SocketAddr>) -> Self {
        self.serve = Some(addr.into());
        self
    }
}
