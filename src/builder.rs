use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::clock::Clock;
use crate::error::{Error, Kind};
use crate::health::{RuntimeHealth, Shared};
use crate::instance::Instance;
use crate::pool::{PoolFindings, Watch};
use crate::primitive::{AtomicBool, AtomicU64};
use crate::recorder::Histogram;
use crate::runtime::Runtimes;
use crate::watchdog::{Desk, FindingStore, Reporter, Watchdog};

/// How much of a family of metrics is exported. Recording is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detail {
    /// Everything.
    #[default]
    Full,
    /// Without the label `method`, and of the histograms by route only
    /// `poll_duration_seconds`. For large fleets.
    Lean,
    /// Nothing.
    Off,
}

/// A family of metrics whose [`Detail`] can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Family {
    /// `requests_*`, `request_*`.
    Requests,
    /// `poll_*`, `schedule_delay_*`, `blocking_polls_*`, `blocking_seconds_*`,
    /// `stalled_polls`, `longest_stall_seconds`.
    Polls,
    /// `worker*`, `alive_tasks`, queues of the scheduler, `scheduler_lag_*`.
    Runtime,
    /// The blocking pool: threads, tasks, queue.
    BlockingPool,
}

impl Family {
    pub(crate) const COUNT: usize = 4;
}

/// Options, validated.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) threshold: Duration,
    pub(crate) namespace: String,
    pub(crate) max_routes: usize,
    pub(crate) max_findings: usize,
    pub(crate) log_interval: Duration,
    pub(crate) schedule_delay_sampling: u32,
    pub(crate) scheduler_lag_interval: Duration,
    pub(crate) blocking_threads_max: usize,
    pub(crate) blocking_probe_interval: Duration,
    pub(crate) pool_saturated_after: Duration,
    pub(crate) pool_stuck_after: Duration,
    pub(crate) long_blocking_task: Duration,
    pub(crate) captures_per_second: u32,
    pub(crate) capture_interval: Duration,
    pub(crate) interrupt_running_threads: bool,
    pub(crate) sample_under_seccomp: bool,
    pub(crate) detail: [Detail; Family::COUNT],
}

/// Options of a [`RuntimeHealth`]; made by [`RuntimeHealth::builder`].
///
/// Everything has a default. [`start`](Self::start) checks all of them before
/// it starts anything.
#[must_use = "nothing is watched before `start`"]
#[derive(Clone)]
pub struct Builder {
    options: Options,
    runtimes: Vec<(Handle, String)>,
    needs_runtime: bool,
    #[cfg(feature = "server")]
    serve: Option<std::net::SocketAddr>,
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
            options: Options {
                threshold: Duration::from_millis(10),
                namespace: "runtime_health".into(),
                max_routes: 512,
                max_findings: 256,
                log_interval: Duration::from_secs(60),
                schedule_delay_sampling: 8,
                scheduler_lag_interval: Duration::from_millis(100),
                blocking_threads_max: 512,
                blocking_probe_interval: Duration::from_secs(1),
                pool_saturated_after: Duration::from_millis(100),
                pool_stuck_after: Duration::from_secs(5),
                long_blocking_task: Duration::from_secs(60),
                captures_per_second: 10,
                capture_interval: Duration::from_secs(10),
                interrupt_running_threads: false,
                sample_under_seccomp: false,
                detail: [Detail::Full; Family::COUNT],
            },
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
    pub fn blocking_threads_max(mut self, max: usize) -> Self {
        self.options.blocking_threads_max = max;
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
        self.options.detail = [detail; Family::COUNT];
        self
    }

    /// How much of one family of metrics is exported.
    pub fn family_detail(mut self, family: Family, detail: Detail) -> Self {
        self.options.detail[family as usize] = detail;
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

    /// Checks the options, then starts the watchdog and, if asked for, the
    /// exporter.
    ///
    /// The first call in a process calibrates the clock, which takes up to 0.2 s.
    ///
    /// # Errors
    ///
    /// If an option is out of its range ([`Error::is_invalid_option`]), no
    /// runtime was given and there is none here ([`Error::is_no_runtime`]), the
    /// exporter's address cannot be listened on ([`Error::is_listen`]), the
    /// service handles the signal of
    /// [`interrupt_running_threads`](Self::interrupt_running_threads) itself
    /// ([`Error::is_invalid_option`]), or a thread cannot be started ([`Error::is_thread`]). Nothing is left running
    /// then.
    pub fn start(mut self) -> Result<RuntimeHealth, Error> {
        self.options.validate()?;
        if self.runtimes.is_empty() && self.needs_runtime {
            let current = Handle::try_current().map_err(Kind::NoRuntime)?;
            self.runtimes.push((current, "main".into()));
        }
        if self.options.interrupt_running_threads {
            crate::capture::can_interrupt().map_err(Kind::Signal)?;
        }
        #[cfg(feature = "server")]
        let listener = self.serve.map(crate::export::Listener::bind).transpose()?;

        let options = self.options;
        let clock = Clock::new();
        let shared = Arc::new(Shared {
            instance: Arc::new(Instance::new(
                clock.clone(),
                options.threshold,
                options.max_routes,
                options.schedule_delay_sampling,
            )),
            findings: FindingStore::new(options.max_findings, clock.ticks_in(options.log_interval)),
            lateness: Histogram::new(),
            runtimes: Runtimes::new(),
            capture_mode: std::sync::OnceLock::new(),
            captures: std::array::from_fn(|_| AtomicU64::new(0)),
            interrupted_calls: AtomicU64::new(0),
            looks: AtomicU64::new(0),
            desk: Desk::default(),
            pool_findings: PoolFindings::new(options.max_findings),
            pool_looks: AtomicU64::new(0),
            pool_look_wanted: AtomicBool::new(false),
            refused: AtomicU64::new(0),
            options,
        });
        for (handle, name) in self.runtimes {
            let bounds = shared.instance.recorder.bounds();
            let max = shared.options.blocking_threads_max;
            shared.runtimes.observe(handle, name, bounds, max, &clock)?;
        }
        let reporter = Reporter::start(Arc::clone(&shared))?;
        let watchdog = Watchdog::start(Arc::clone(&shared), reporter.clone())?;
        let pools = Watch::start(Arc::clone(&shared), reporter)?;
        #[cfg(feature = "server")]
        let exporter = listener
            .map(|listener| listener.serve(Arc::clone(&shared)))
            .transpose()?;
        crate::blocking::adopt(&shared.instance);
        Ok(RuntimeHealth::new(
            shared,
            watchdog,
            pools,
            #[cfg(feature = "server")]
            exporter,
        ))
    }
}

impl Options {
    fn validate(&self) -> Result<(), Error> {
        let millis = Duration::from_millis;
        let hour = millis(3_600_000);
        let checks = [
            (
                "threshold",
                format!("{:?}", self.threshold),
                (millis(1)..=hour).contains(&self.threshold),
                "1 ms to 1 h",
            ),
            (
                "namespace",
                format!("{:?}", self.namespace),
                is_namespace(&self.namespace),
                "letters, digits and underscores, at least one, not a digit first",
            ),
            (
                "max_routes",
                self.max_routes.to_string(),
                (1..=65536).contains(&self.max_routes),
                "1 to 65536",
            ),
            (
                "max_findings",
                self.max_findings.to_string(),
                (1..=65536).contains(&self.max_findings),
                "1 to 65536",
            ),
            (
                "scheduler_lag_interval",
                format!("{:?}", self.scheduler_lag_interval),
                (millis(10)..=hour).contains(&self.scheduler_lag_interval),
                "10 ms to 1 h",
            ),
            (
                "blocking_threads_max",
                self.blocking_threads_max.to_string(),
                self.blocking_threads_max >= 1,
                "at least 1",
            ),
            (
                "blocking_probe_interval",
                format!("{:?}", self.blocking_probe_interval),
                (millis(100)..=hour).contains(&self.blocking_probe_interval),
                "100 ms to 1 h",
            ),
            (
                "pool_saturated_after",
                format!("{:?}", self.pool_saturated_after),
                (millis(10)..=hour).contains(&self.pool_saturated_after),
                "10 ms to 1 h",
            ),
            (
                "pool_stuck_after",
                format!("{:?}", self.pool_stuck_after),
                (millis(100)..=hour).contains(&self.pool_stuck_after),
                "100 ms to 1 h",
            ),
            (
                "long_blocking_task",
                format!("{:?}", self.long_blocking_task),
                (millis(100)..=hour * 24).contains(&self.long_blocking_task),
                "100 ms to 24 h",
            ),
        ];
        match checks.into_iter().find(|(_, _, valid, _)| !valid) {
            None => Ok(()),
            Some((name, value, _, allowed)) => Err(Kind::Option {
                name,
                value,
                allowed,
            }
            .into()),
        }
    }
}

/// A legal start of a metric's name (Prometheus' data model, without colons,
/// which belong to recording rules).
fn is_namespace(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
