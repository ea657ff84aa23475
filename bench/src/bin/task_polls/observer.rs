use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio_blocked::TokioBlockedLayer;
use tower_runtime_health::RuntimeHealth;
use tower_runtime_health_bench::check::{counted, health};
use tracing_subscriber::layer::SubscriberExt;

use super::trace::Trace;
use super::{hooks, task};

/// A way to observe the polls of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observer {
    /// No tool.
    Bare,
    /// By two reads of the clock that our layer reads; the duration is discarded.
    TwoReads,
    /// Our layer, around the service that the task calls. It leaves out a task's own wakes, so
    /// the wake-to-poll delay is not measured here.
    Ours,
    /// tokio's histogram of poll times.
    Histogram,
    /// tokio's task hooks, which count.
    CountingHooks,
    /// tokio's task hooks, which read the clock.
    TimingHooks,
    /// console-subscriber, with its server; no client is connected.
    Console,
    /// tokio-blocked.
    TokioBlocked,
    /// dial9, of a task spawned by tokio: begin and end of each poll.
    Dial9,
    /// dial9, of a task spawned by dial9: each wake as well.
    Dial9Spawn,
}

/// A runtime under observation.
pub struct Observed {
    observer: Observer,
    runtime: Runtime,
    tool: Tool,
    tasks: u64,
    polls: u64,
}

/// What has to live as long as the runtime is observed.
enum Tool {
    Nothing,
    Health(RuntimeHealth),
    Trace(Trace),
}

impl Observer {
    pub const ALL: [Self; 10] = [
        Self::Bare,
        Self::TwoReads,
        Self::Ours,
        Self::CountingHooks,
        Self::TimingHooks,
        Self::Histogram,
        Self::TokioBlocked,
        Self::Dial9,
        Self::Dial9Spawn,
        Self::Console,
    ];

    /// Returns the name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::TwoReads => "two clock reads",
            Self::Ours => "our layer",
            Self::Histogram => "tokio's poll-time histogram",
            Self::CountingHooks => "tokio's hooks, counting",
            Self::TimingHooks => "tokio's hooks, two clock reads",
            Self::Console => "console-subscriber",
            Self::TokioBlocked => "tokio-blocked",
            Self::Dial9 => "dial9, polls",
            Self::Dial9Spawn => "dial9, polls and wakes",
        }
    }

    /// Returns one word for a command line.
    pub fn key(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::TwoReads => "two-clock-reads",
            Self::Ours => "ours",
            Self::Histogram => "histogram",
            Self::CountingHooks => "counting-hooks",
            Self::TimingHooks => "timing-hooks",
            Self::Console => "console",
            Self::TokioBlocked => "tokio-blocked",
            Self::Dial9 => "dial9",
            Self::Dial9Spawn => "dial9-spawn",
        }
    }

    /// Returns the observer with that key.
    pub fn by_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|observer| observer.key() == key)
    }
}

impl Observed {
    /// Starts a runtime under observation. Call it once a process: some observers have
    /// process-wide state.
    pub fn start(observer: Observer) -> Self {
        let mut builder = Builder::new_current_thread();
        builder.enable_all();
        match observer {
            Observer::Histogram => drop(builder.enable_metrics_poll_time_histogram()),
            Observer::CountingHooks => hooks::count_polls(&mut builder),
            Observer::TimingHooks => hooks::time_polls(&mut builder),
            Observer::Console => subscribe(
                console_subscriber::ConsoleLayer::builder()
                    .server_addr(([127, 0, 0, 1], 0))
                    .spawn(),
            ),
            Observer::TokioBlocked => {
                let threshold = Some(hooks::LONG);
                subscribe(TokioBlockedLayer::new().with_warn_busy_single_poll(threshold));
            }
            _ => {}
        }
        let (tool, runtime) = if let Observer::Dial9 | Observer::Dial9Spawn = observer {
            let (trace, runtime) = Trace::attach(builder).expect("a trace can be written");
            (Tool::Trace(trace), runtime)
        } else {
            let runtime = builder.build().expect("a runtime can be built");
            let _inside = runtime.enter();
            let tool = match observer {
                Observer::Ours => Tool::Health(health(None)),
                _ => Tool::Nothing,
            };
            (tool, runtime)
        };
        Self {
            observer,
            runtime,
            tool,
            tasks: 0,
            polls: 0,
        }
    }

    /// Runs a task that wakes itself `wakes` times.
    pub fn run(&mut self, wakes: u64) {
        let _inside = self.runtime.enter();
        let task = match (&self.tool, self.observer) {
            (Tool::Health(health), _) => tokio::spawn(task::inside_our_layer(health, wakes)),
            (_, Observer::TwoReads) => tokio::spawn(task::between_two_clock_reads(wakes)),
            (_, Observer::Dial9Spawn) => dial9::spawn_in(self.runtime.handle(), task::bare(wakes)),
            _ => tokio::spawn(task::bare(wakes)),
        };
        self.runtime.block_on(task).expect("it does not panic");
        self.tasks += 1;
        // The last poll finds it ready.
        self.polls += wakes + 1;
    }

    /// Returns `recorded` if the observer saw all that was done, otherwise both counts.
    pub fn check(&mut self) -> String {
        let (tasks, polls) = (self.tasks, self.polls);
        let (seen, expected) = match (&mut self.tool, self.observer) {
            (Tool::Trace(trace), observer) => {
                let (polls_seen, wakes_seen) = trace.count().expect("a trace can be read");
                let wakes = if observer == Observer::Dial9Spawn {
                    polls - tasks
                } else {
                    0
                };
                (vec![polls_seen, wakes_seen], vec![polls, wakes])
            }
            (Tool::Health(health), _) => {
                // `call` is timed as well.
                let seen = counted(health, "poll_duration_seconds_count");
                (vec![seen], vec![polls + tasks])
            }
            (Tool::Nothing, Observer::Histogram) => (vec![self.polls_in_histogram()], vec![polls]),
            (Tool::Nothing, Observer::CountingHooks | Observer::TimingHooks) => {
                (vec![hooks::polls()], vec![polls])
            }
            (Tool::Nothing, Observer::TokioBlocked) => {
                // tokio makes a span for each `block_on` as well.
                (vec![spans_of_tokio_blocked()], vec![2 * tasks])
            }
            (Tool::Nothing, Observer::Console) => (vec![u64::from(self.is_in_span())], vec![1]),
            (Tool::Nothing, _) => return "recorded".into(),
        };
        if seen == expected {
            "recorded".into()
        } else {
            format!("{seen:?} recorded of {expected:?}")
        }
    }

    fn polls_in_histogram(&self) -> u64 {
        // The worker publishes its figures when it parks.
        let a_while = async { tokio::time::sleep(Duration::from_millis(2)).await };
        self.runtime.block_on(a_while);
        let metrics = self.runtime.metrics();
        (0..metrics.poll_time_histogram_num_buckets())
            .map(|bucket| metrics.poll_time_histogram_bucket_count(0, bucket))
            .sum()
    }

    /// Returns whether a task's polls run inside the span that tokio makes for it, which
    /// console-subscriber observes.
    fn is_in_span(&self) -> bool {
        let name = async { tracing::Span::current().metadata().map(|span| span.name()) };
        let name = self.runtime.block_on(self.runtime.spawn(name));
        name.expect("it does not panic") == Some("runtime.spawn")
    }
}

/// Makes the layer the only receiver of the process's spans and events.
fn subscribe<L>(layer: L)
where
    L: tracing_subscriber::Layer<tracing_subscriber::Registry> + Send + Sync + 'static,
{
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::set_global_default(subscriber).expect("there is no other");
}

/// Returns how many of tokio's spans tokio-blocked has seen end.
fn spans_of_tokio_blocked() -> u64 {
    let count = |layer: &TokioBlockedLayer| layer.snapshot().iter().map(|site| site.count).sum();
    tracing::dispatcher::get_default(|dispatch| dispatch.downcast_ref().map_or(0, count))
}
