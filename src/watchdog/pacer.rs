use std::time::Duration;

use crate::clock::Clock;

/// The longest time between two rounds. It is half the threshold where that is shorter.
const MAX_TICK: Duration = Duration::from_millis(10);

/// How long no poll must have begun or ended before the watchdog parks. Waking it costs a
/// worker one system call, so it does not park between two requests of a busy service.
const IDLE_TIME: Duration = Duration::from_millis(200);

/// If a round is late by this much, CPU counts as contended for the time below.
const CONTENTION_LATENESS: Duration = Duration::from_millis(2);
const CONTENTION_TIME: Duration = Duration::from_secs(1);

/// Decides when the watchdog's next round is due and when it may park, and measures how
/// late it wakes. All times in ticks of the clock unless they are `Duration`s.
#[derive(Debug)]
pub(super) struct Pacer {
    tick: u64,
    idle_time: u64,
    contention_time: u64,
    round_began: u64,
    last_activity: u64,
    /// How late the current round is.
    lateness: Duration,
    /// When a round was last later than [`CONTENTION_LATENESS`].
    last_late: Option<u64>,
}

impl Pacer {
    pub(super) fn new(threshold: Duration, clock: &Clock) -> Self {
        let tick = (threshold / 2).min(MAX_TICK);
        let now = clock.ticks();
        Self {
            tick: clock.ticks_in(tick),
            idle_time: clock.ticks_in(IDLE_TIME.max(tick * 2)),
            contention_time: clock.ticks_in(CONTENTION_TIME),
            round_began: now,
            last_activity: now,
            lateness: Duration::ZERO,
            last_late: None,
        }
    }

    /// Returns the time between two rounds.
    pub(super) fn tick(&self) -> u64 {
        self.tick
    }

    pub(super) fn begin_round(&mut self, now: u64) {
        self.round_began = now;
    }

    pub(super) fn saw_activity(&mut self, now: u64) {
        self.last_activity = now;
    }

    /// Returns whether no poll has begun or ended for long enough.
    pub(super) fn may_park(&self) -> bool {
        self.round_began.saturating_sub(self.last_activity) >= self.idle_time
    }

    /// Sleeps until one tick after the last round began, and for at least a quarter of a tick.
    /// Returns how late it woke. A long round makes the next one late, too.
    pub(super) fn sleep_until_next_round(&mut self, clock: &Clock) -> u64 {
        let due = self.round_began + self.tick;
        let left = due.saturating_sub(clock.ticks()).max(self.tick / 4);
        std::thread::park_timeout(clock.duration(left));
        let now = clock.ticks();
        let late = now.saturating_sub(due);
        self.lateness = clock.duration(late);
        if self.lateness >= CONTENTION_LATENESS {
            self.last_late = Some(now);
        }
        late
    }

    pub(super) fn lateness(&self) -> Duration {
        self.lateness
    }

    /// Returns whether a round was late recently. Then other threads may wait for a CPU, too.
    pub(super) fn is_cpu_contended(&self, now: u64) -> bool {
        self.last_late
            .is_some_and(|late| now.saturating_sub(late) < self.contention_time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_may_park_only_after_a_time_without_activity() {
        let clock = Clock::new();
        let mut pacer = Pacer::new(Duration::from_millis(10), &clock);
        let start = pacer.last_activity;
        pacer.begin_round(start + pacer.idle_time - 1);
        assert!(!pacer.may_park());
        pacer.begin_round(start + pacer.idle_time);
        assert!(pacer.may_park());
        pacer.saw_activity(start + pacer.idle_time);
        assert!(!pacer.may_park());
    }

    #[test]
    fn one_late_round_marks_cpu_contention_for_a_while() {
        let clock = Clock::new();
        let mut pacer = Pacer::new(Duration::from_millis(10), &clock);
        let now = clock.ticks();
        assert!(!pacer.is_cpu_contended(now));
        // Due long ago, so it wakes late whatever the machine does.
        pacer.begin_round(now - clock.ticks_in(Duration::from_secs(1)));
        assert!(pacer.sleep_until_next_round(&clock) > 0);
        let woke = clock.ticks();
        assert!(pacer.is_cpu_contended(woke));
        assert!(!pacer.is_cpu_contended(woke + pacer.contention_time));
    }

    #[test]
    fn the_tick_is_half_the_threshold_within_its_maximum() {
        let clock = Clock::new();
        let tick = |millis| Pacer::new(Duration::from_millis(millis), &clock).tick();
        assert_eq!(tick(4), clock.ticks_in(Duration::from_millis(2)));
        assert_eq!(tick(1_000), clock.ticks_in(MAX_TICK));
    }
}
