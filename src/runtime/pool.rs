use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::runtime::Handle;

use super::pool_hooks::Hooks;
use super::pool_probe::{PoolProbe, send_requested};
use crate::clock::Clock;
use crate::model::RuntimeId;
use crate::recorder::TickBounds;
use crate::sync::{AtomicU64, Ordering, lock};

/// The time between two samples of a pool that is full or has queued work.
pub(crate) const SAMPLE_INTERVAL: Duration = Duration::from_millis(25);

/// The known state of one observed runtime's blocking pool.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) name: Arc<str>,
    pub(crate) probe: Arc<PoolProbe>,
    pub(crate) hooks: Option<Arc<Hooks>>,
    max: Arc<AtomicU64>,
    /// The kernel's name of the pool's threads, once one has been seen.
    thread_name: OnceLock<String>,
    seen: Mutex<Option<Sample>>,
    saturation: Mutex<SaturatedTime>,
    /// The ticks between two samples while the pool is full.
    sample_interval: u64,
}

/// A pool and tokio's figures of its runtime.
#[derive(Debug)]
pub(crate) struct ObservedPool {
    pub(crate) id: RuntimeId,
    pub(crate) pool: Arc<Pool>,
    pub(crate) workers: usize,
    pub(crate) exact: Option<ExactFigures>,
}

/// Returns what the kernel keeps of a thread's name: its first 15 bytes (prctl(2),
/// `PR_SET_NAME`).
pub(crate) fn kernel_thread_name(name: &str) -> &str {
    const LONGEST: usize = 15;
    let mut end = name.len().min(LONGEST);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or(name)
}

/// The hooks of a runtime that is being built, and the limit of its pool.
pub(crate) type Configuration = (Arc<Hooks>, Arc<AtomicU64>);

/// tokio's own figures of a pool, under `tokio_unstable`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExactFigures {
    pub(crate) threads: usize,
    pub(crate) idle: usize,
    /// Does not count the probe.
    pub(crate) queue: usize,
}

/// One sample of a pool. Unknown figures are `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) threads: Option<usize>,
    pub(crate) idle: Option<usize>,
    /// The number of queued wrapped tasks.
    pub(crate) queued: u64,
    pub(crate) running: u64,
    pub(crate) exact: Option<ExactFigures>,
}

/// The saturation that a sample shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Saturation {
    /// Whether the pool has all the threads it may have, and none is known to be idle.
    pub(crate) is_full: bool,
    /// Whether the pool is full and tasks wait.
    pub(crate) is_saturated: bool,
    /// Whether a probe is needed to tell more.
    pub(crate) wants_probe: bool,
}

impl Sample {
    /// Evaluates the sample. `probe` holds how long the outstanding probe has waited, and
    /// how long a probe may wait on a pool that has room, both in ticks.
    pub(crate) fn saturation(&self, max: u64, probe: (Option<u64>, u64)) -> Saturation {
        let (waits, patience) = probe;
        let probe_waits = waits.is_some_and(|waits| waits >= patience);
        if let Some(exact) = self.exact {
            let is_full = exact.threads as u64 >= max && exact.idle == 0;
            return Saturation {
                is_full,
                is_saturated: is_full && exact.queue > 0,
                wants_probe: is_full,
            };
        }
        match self.threads {
            Some(threads) => {
                let is_full = threads as u64 >= max && self.idle.unwrap_or(0) == 0;
                let work_waits = probe_waits || (self.queued > 0 && self.idle.is_some());
                // If the idle threads are unknown, wrapped tasks alone must fill the pool.
                let is_filled = self.queued > 0 && self.running >= max;
                Saturation {
                    is_full,
                    is_saturated: is_full && (work_waits || is_filled),
                    wants_probe: is_full,
                }
            }
            None => {
                let is_full = self.running >= max;
                Saturation {
                    is_full,
                    is_saturated: probe_waits || (is_full && self.queued > 0),
                    wants_probe: true,
                }
            }
        }
    }

    /// Returns the number of busy threads, if known.
    pub(crate) fn busy(&self) -> Option<usize> {
        match self.exact {
            Some(exact) => Some(exact.threads.saturating_sub(exact.idle)),
            None => Some(self.threads?.saturating_sub(self.idle?)),
        }
    }
}

/// The total time for which a pool was saturated.
#[derive(Debug, Default)]
struct SaturatedTime {
    ticks: u64,
    /// The time up to which `ticks` is counted. `None` while the pool is not saturated.
    counted: Option<u64>,
}

impl Pool {
    pub(crate) fn new(
        name: Arc<str>,
        configuration: Option<Configuration>,
        max: usize,
        bounds: TickBounds<12>,
        sample_interval: u64,
    ) -> Self {
        let (hooks, max) = match configuration {
            Some((hooks, max)) => (Some(hooks), max),
            None => (None, Arc::new(AtomicU64::new(max as u64))),
        };
        Self {
            name,
            probe: Arc::new(PoolProbe::new(bounds)),
            hooks,
            max,
            thread_name: OnceLock::new(),
            seen: Mutex::default(),
            saturation: Mutex::default(),
            sample_interval,
        }
    }

    /// Returns the limit of the pool.
    pub(crate) fn max(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    /// Called on a thread that the runtime has started.
    pub(crate) fn met_runtime_thread(&self) {
        if let Some(hooks) = &self.hooks {
            hooks.expect_registered(crate::sys::thread_id());
        }
        if self.thread_name.get().is_none()
            && let Some(name) = std::thread::current().name()
        {
            self.set_thread_name(kernel_thread_name(name));
        }
    }

    /// Sends the probe that is requested, unless one is outstanding.
    pub(super) fn send_probe(self: &Arc<Self>, runtime: &Handle, clock: &Clock) {
        let pool = Arc::clone(self);
        send_requested(&self.probe, runtime, clock, move || {
            pool.met_runtime_thread();
        });
    }

    /// Returns the number of the runtime's threads, if hooks report it.
    pub(crate) fn hooked_threads(&self, workers: usize) -> Option<usize> {
        self.hooks.as_ref().and_then(|hooks| hooks.alive(workers))
    }

    pub(crate) fn set_thread_name(&self, name: &str) {
        let _ = self.thread_name.set(name.to_owned());
    }

    pub(crate) fn thread_name(&self) -> Option<&str> {
        self.thread_name.get().map(String::as_str)
    }

    #[cfg(feature = "prometheus")]
    /// Returns the last sample.
    pub(crate) fn sample(&self) -> Option<Sample> {
        *lock(&self.seen)
    }

    pub(crate) fn set_sample(&self, sample: Sample) {
        *lock(&self.seen) = Some(sample);
    }

    /// Adds the time up to `now`. `since` is the start of a new saturation.
    pub(crate) fn add_saturated_time(&self, now: u64, is_saturated: bool, since: u64) {
        let mut saturation = lock(&self.saturation);
        saturation.ticks += match (saturation.counted, is_saturated) {
            (Some(counted), true) => now.saturating_sub(counted),
            (Some(counted), false) => self.at_most_a_sample(now, counted),
            (None, true) => now.saturating_sub(since),
            (None, false) => 0,
        };
        saturation.counted = is_saturated.then_some(now);
    }

    #[cfg(any(test, feature = "prometheus"))]
    pub(crate) fn saturated_ticks(&self, now: u64) -> u64 {
        let saturation = lock(&self.saturation);
        let open = saturation.counted;
        saturation.ticks + open.map_or(0, |counted| self.at_most_a_sample(now, counted))
    }

    /// Limits a span to the time between two samples. When saturation ended between two
    /// samples is unknown, and a scrape must not count more than the next sample will.
    fn at_most_a_sample(&self, now: u64, counted: u64) -> u64 {
        now.saturating_sub(counted).min(self.sample_interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u64 = 4;
    const NO_PROBE: (Option<u64>, u64) = (None, 10);

    fn stable(threads: usize, idle: Option<usize>, queued: u64, running: u64) -> Sample {
        Sample {
            threads: Some(threads),
            idle,
            queued,
            running,
            exact: None,
        }
    }

    #[test]
    fn a_pool_is_saturated_when_it_is_full_and_work_waits() {
        let is_saturated = |sample: Sample, probe| sample.saturation(MAX, probe).is_saturated;
        assert!(is_saturated(stable(4, Some(0), 1, 4), NO_PROBE));
        // A free place; an idle thread; no waiting task.
        assert!(!is_saturated(stable(3, Some(0), 1, 3), NO_PROBE));
        assert!(!is_saturated(stable(4, Some(1), 1, 3), NO_PROBE));
        assert!(!is_saturated(stable(4, Some(0), 0, 4), NO_PROBE));
        // Tasks that are not wrapped wait. A probe that has waited shows it.
        assert!(!is_saturated(stable(4, Some(0), 0, 0), (Some(9), 10)));
        assert!(is_saturated(stable(4, Some(0), 0, 0), (Some(10), 10)));
        // Idle threads unknown: wrapped tasks or the probe decide.
        assert!(!is_saturated(stable(4, None, 1, 3), NO_PROBE));
        assert!(is_saturated(stable(4, None, 1, 4), NO_PROBE));
        assert!(is_saturated(stable(4, None, 0, 0), (Some(10), 10)));
    }

    #[test]
    fn what_tokio_says_counts_where_it_says_it() {
        let exact = |threads, idle, queue| Sample {
            exact: Some(ExactFigures {
                threads,
                idle,
                queue,
            }),
            ..stable(4, Some(0), 5, 4)
        };
        assert!(exact(4, 0, 1).saturation(MAX, NO_PROBE).is_saturated);
        assert!(!exact(4, 1, 1).saturation(MAX, NO_PROBE).is_saturated);
        assert!(!exact(4, 0, 0).saturation(MAX, (Some(20), 10)).is_saturated);
    }

    #[test]
    fn a_probe_is_sent_only_where_it_is_full_or_unknown() {
        let wants = |sample: Sample| sample.saturation(MAX, NO_PROBE).wants_probe;
        assert!(!wants(stable(3, Some(0), 0, 3)));
        assert!(!wants(stable(4, Some(1), 0, 3)));
        assert!(!wants(stable(2, None, 0, 2)));
        assert!(wants(stable(4, Some(0), 0, 3)));
        assert!(wants(stable(4, None, 0, 3)));
        assert!(wants(Sample::default()));
    }

    #[test]
    fn saturated_time_never_goes_back() {
        let pool = Pool::new("main".into(), None, 4, [1; 12], 10);
        pool.add_saturated_time(100, false, 0);
        assert_eq!(pool.saturated_ticks(100), 0);
        pool.add_saturated_time(120, true, 110);
        assert_eq!(pool.saturated_ticks(120), 10);
        assert_eq!(pool.saturated_ticks(125), 15);
        pool.add_saturated_time(160, true, 0);
        assert_eq!(pool.saturated_ticks(165), 55);
        // A late sample does not know when saturation ended.
        assert_eq!(pool.saturated_ticks(300), 60);
        pool.add_saturated_time(300, false, 0);
        assert_eq!(pool.saturated_ticks(400), 60);
        pool.add_saturated_time(450, true, 445);
        assert_eq!(pool.saturated_ticks(450), 65);
    }
}
