use std::fmt;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::options::{Detail, Family, Options};

/// Options of a [`RuntimeHealth`](crate::RuntimeHealth); made by
/// [`RuntimeHealth::builder`](crate::RuntimeHealth::builder).
///
/// Everything has a default. [`start`](Self::start) checks all of them before
/// it starts anything.
#[must_use = "nothing is watched before `start`"]
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

    /// From how long on a poll is a *blocking poll*. Default 10 ms; 1 ms to 1 h.
    ///
    /// The watchdog looks twice in this time, at least every 10 ms.
    pub fn threshold(mut self, threshold: Duration) -> Self {
        self.options.threshold = threshold;
        self
    }

    /// What all names of metrics begin with. Default `runtime_health`.
    ///
    /// Letters, digits and underscores; not a digit first.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.options.namespace = namespace.into();
        self
    }

    /// How many routes get a label of their own; the rest is `<overflow>`.
    /// Default 512; 1 to 65536. Memory follows the routes in use: about 0.7 KiB
    /// for each route, method and thread.
    pub fn max_routes(mut self, max: usize) -> Self {
        self.options.max_routes = max;
        self
    }

    /// How many findings are kept; the one seen longest ago leaves first.
    /// Default 256; 1 to 65536.
    pub fn max_findings(mut self, max: usize) -> Self {
        self.options.max_findings = max;
        self
    }

    /// The shortest time between two log events of one finding. Default 60 s;
    /// 0 logs every blocking poll.
    ///
    /// For a saturated blocking pool, between two events of one runtime; each
    /// stretch is in `pool_findings` all the same.
    pub fn log_interval(mut self, interval: Duration) -> Self {
        self.options.log_interval = interval;
        self
    }

    /// `schedule_delay_seconds` measures one request in so many, and every one
    /// while a thread has fewer than 100 a second. Default 8; 0 is none.
    ///
    /// A measured request costs one allocation and about 40 ns, and 20 ns a wake.
    pub fn schedule_delay_sampling(mut self, one_in: u32) -> Self {
        self.options.schedule_delay_sampling = one_in;
        self
    }

    /// How often `scheduler_lag_seconds` is measured while requests come in.
    /// Default 100 ms; 10 ms to 1 h. Without requests, once per scrape.
    pub fn scheduler_lag_interval(mut self, interval: Duration) -> Self {
        self.options.scheduler_lag_interval = interval;
        self
    }

    /// The limit of the blocking pool, as given to
    /// [`tokio::runtime::Builder::max_blocking_threads`]; tokio does not tell.
    /// Default 512, which is tokio's; at least 1.
    pub fn max_blocking_threads(mut self, max: usize) -> Self {
        self.options.max_blocking_threads = max;
        self
    }

    /// The shortest time between two probes of a blocking pool, which are sent
    /// only while it looks full or nothing is known of it. Default 1 s; 100 ms
    /// to 1 h.
    ///
    /// A probe starts a thread where none is idle, and keeps idle ones alive.
    pub fn blocking_probe_interval(mut self, interval: Duration) -> Self {
        self.options.blocking_probe_interval = interval;
        self
    }

    /// From how long on a blocking pool that is saturated makes a finding and a
    /// log event. Default 100 ms; 10 ms to 1 h.
    pub fn pool_saturated_after(mut self, time: Duration) -> Self {
        self.options.pool_saturated_after = time;
        self
    }

    /// From how long on it is said that a saturated pool makes no progress at
    /// all. Default 5 s; 100 ms to 1 h.
    pub fn pool_stuck_after(mut self, time: Duration) -> Self {
        self.options.pool_stuck_after = time;
        self
    }

    /// From how long on a task on the blocking pool is a finding of its own.
    /// Default 60 s; 100 ms to 24 h. Noticed within a second.
    pub fn long_blocking_task(mut self, time: Duration) -> Self {
        self.options.long_blocking_task = time;
        self
    }

    /// How many stacks of blocking polls are read in a second, over all
    /// threads. Default 10; 0 is none, and then no finding has a place.
    ///
    /// One costs the watchdog's thread 0.1 to 0.3 ms, and one of a running
    /// thread up to 2 ms; nothing of it is done by the thread that is read.
    pub fn captures_per_second(mut self, max: u32) -> Self {
        self.options.captures_per_second = max;
        self
    }

    /// The shortest time between two stacks of one kind of wait in one route.
    /// Default 10 s; 0 reads every blocking poll's.
    pub fn capture_interval(mut self, interval: Duration) -> Self {
        self.options.capture_interval = interval;
        self
    }

    /// Allows a signal (`SIGRTMAX - 3`) to a thread that is *running* in a
    /// blocking poll, to read its stack where the kernel offers no better way
    /// (`perf_event_open` refused, as by Docker's default profile). Default
    /// false.
    ///
    /// It can disturb the service: even with `SA_RESTART`, `read` with a
    /// timeout, `poll`, `epoll_wait`, `nanosleep` and others fail with `EINTR`
    /// if the signal meets them, which happens when the thread enters such a
    /// call just then. Those are counted in `interrupted_calls_total`. Blocked
    /// threads are never sent one.
    pub fn interrupt_running_threads(mut self, allowed: bool) -> Self {
        self.options.interrupt_running_threads = allowed;
        self
    }

    /// Has running threads sampled (`perf_event_open`) also where a seccomp
    /// filter is in force. Default false.
    ///
    /// Whether a filter allows it can't be asked. Docker's and Kubernetes'
    /// default profiles refuse it, which does no harm; one of systemd's
    /// (`SystemCallFilter=`, unless `SystemCallErrorNumber=` is set) ends the
    /// process with `SIGSYS`. Set it where the filter is known to allow it.
    pub fn sample_under_seccomp(mut self, allowed: bool) -> Self {
        self.options.sample_under_seccomp = allowed;
        self
    }

    /// How much of each family of metrics is exported. Default
    /// [`Detail::Full`].
    pub fn detail(mut self, detail: Detail) -> Self {
        for &family in Family::ALL {
            self.options.set_detail(family, detail);
        }
        self
    }

    /// How much of one family of metrics is exported.
    pub fn family_detail(mut self, family: Family, detail: Detail) -> Self {
        self.options.set_detail(family, detail);
        self
    }

    /// Observes this runtime, under the label `runtime`. Without any, the
    /// runtime in which [`start`](Self::start) is called is observed as `main`.
    pub fn observe_runtime(mut self, handle: &Handle, name: impl Into<String>) -> Self {
        self.runtimes.push((handle.clone(), name.into()));
        self
    }

    /// Starts without a runtime to observe, also outside of any: one is
    /// [configured](RuntimeHealth::configure) and
    /// [observed](RuntimeHealth::observe_runtime) later.
    pub fn without_runtime(mut self) -> Self {
        self.needs_runtime = false;
        self
    }

    /// Serves `/metrics` and `/findings` over HTTP from a thread of its own,
    /// which answers while every worker of the service is stuck.
    ///
    /// Port 0 takes a free one: see
    /// [`RuntimeHealth::metrics_addr`]. There is no authentication: listen on
    /// loopback, or where only the scraper gets to.
    #[cfg(feature = "server")]
    pub fn serve_metrics(mut self, addr: impl Into<std::net::SocketAddr>) -> Self {
        self.serve = Some(addr.into());
        self
    }
}
