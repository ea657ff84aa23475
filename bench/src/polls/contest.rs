//! The contenders of the first part in one situation.

use std::sync::Mutex;

use tokio_metrics::TaskMonitor;
use tower_runtime_health::RuntimeHealth;

use super::POLLS;
use super::work::{self, Unready};
use tower_runtime_health_bench::check::{counted, health};
use tower_runtime_health_bench::contender::{Contender, Work, wall_time};
use tower_runtime_health_bench::table::named;

pub struct Names;

impl Names {
    pub const NOTHING: &str = "nothing";
    pub const TWO_READS: &str = "two clock reads";
    pub const OURS: &str = "our layer";
    pub const OURS_SAMPLED: &str = "our layer, delay sampled";
    pub const OURS_APART: &str = "our layer, one each";
    pub const MONITOR: &str = "TaskMonitor";
    pub const MONITOR_APART: &str = "TaskMonitor, one each";
    pub const FUTURE: &str = "FutureMonitor";
    pub const TRACE: &str = "tower-http trace, no subscriber";
    pub const TRACE_INFO: &str = "tower-http trace, INFO";
}

pub struct Contest {
    pub heading: String,
    pub contenders: Vec<Contender>,
    threads: usize,
    future: Unready,
    // One for each contender: their counts are compared with the polls made.
    plain: RuntimeHealth,
    sampled: RuntimeHealth,
    monitor: TaskMonitor,
}

impl Contest {
    pub fn new(heading: String, threads: usize, future: Unready) -> Self {
        let mut contest = Self {
            heading,
            contenders: Vec::new(),
            threads,
            future,
            plain: health(None),
            sampled: health(1),
            monitor: TaskMonitor::new(),
        };
        let nothing = move || work::nothing(future);
        let two_clock_reads = move || work::two_clock_reads(future);
        let plain = contest.plain.clone();
        let sampled = contest.sampled.clone();
        let monitor = contest.monitor.clone();

        contest.enter(Names::NOTHING, nothing);
        contest.enter(Names::TWO_READS, two_clock_reads);
        contest.enter(Names::OURS, move || work::our_layer(&plain, future));
        contest.enter(Names::OURS_SAMPLED, move || {
            work::our_layer(&sampled, future)
        });
        contest.enter(Names::MONITOR, move || work::task_monitor(&monitor, future));
        contest.enter(Names::FUTURE, move || work::future_monitor(future));
        contest.enter(Names::TRACE, move || work::trace(future));
        contest.enter(Names::TRACE_INFO, move || work::trace_info(future));
        if threads == 1 {
            contest.enter("nothing, again (A/A)", nothing);
            contest.enter("two clock reads, again (A/A)", two_clock_reads);
        } else {
            // The same work on the same cores, with nothing shared.
            let healths: Vec<_> = (0..threads).map(|_| health(None)).collect();
            let healths = Mutex::new(healths);
            contest.enter(Names::OURS_APART, move || {
                let health = healths.lock().expect("no thread panics").pop();
                work::our_layer(&health.expect("one for each thread"), future)
            });
            contest.enter(Names::MONITOR_APART, move || {
                work::task_monitor(&TaskMonitor::new(), future)
            });
        }
        contest
    }

    fn enter(&mut self, name: &'static str, make: impl Fn() -> Work + Send + Sync + 'static) {
        let contender = Contender::on_threads(self.threads, name, POLLS, wall_time, make);
        self.contenders.push(contender);
    }

    /// Checks that every contender recorded exactly the polls that it made.
    pub fn check(&self) {
        let done = |name| named(&self.contenders, name).done;
        // `call` is timed as well, once a thread.
        let calls = self.threads as u64;
        for (name, health) in [
            (Names::OURS, &self.plain),
            (Names::OURS_SAMPLED, &self.sampled),
        ] {
            let polls = counted(health, "poll_duration_seconds_count");
            assert_eq!(polls, done(name) + calls, "{name}");
        }
        let delays = match self.future {
            Unready::Idle => 0,
            // The first poll of each thread follows no wake.
            Unready::Woken => done(Names::OURS_SAMPLED) - calls,
        };
        let measured = counted(&self.sampled, "schedule_delay_seconds_count");
        assert_eq!(measured, delays);
        let polls = self.monitor.cumulative().total_poll_count;
        assert_eq!(polls, done(Names::MONITOR));
    }

    pub fn finish(self) {
        self.contenders.into_iter().for_each(Contender::finish);
    }
}
