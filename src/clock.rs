//! The only reader of time.
//!
//! Durations are measured in *ticks* of the processor's time-stamp counter and
//! converted to nanoseconds when they are read, never on the hot path.
//! Where the counter cannot be trusted (no invariant TSC), quanta falls back to
//! the operating system's monotonic clock and a tick is a nanosecond.
#![allow(
    clippy::disallowed_methods,
    reason = "this is the room they are banned to"
)]

use std::time::{Duration, SystemTime};

/// Long enough to keep the rounding error of the conversion below one part in a billion.
const SPAN: u64 = 1 << 40;

/// A calibrated clock. Cloning it is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    counter: quanta::Clock,
    /// Whether the counter is the processor's, which can be read without a call.
    is_processors: bool,
}

impl Clock {
    /// Calibrates on the first call in a process (up to 0.2 s), then shares.
    pub(crate) fn new() -> Self {
        let counter = quanta::Clock::new();
        Self {
            is_processors: reads_processor(&counter),
            counter,
        }
    }

    /// Returns the current time in ticks. A reading on another core may be a few ticks
    /// behind an earlier one, so differences must saturate.
    #[inline(always)]
    pub(crate) fn ticks(&self) -> u64 {
        if self.is_processors {
            crate::sys::counter()
        } else {
            self.raw()
        }
    }

    #[cold]
    fn raw(&self) -> u64 {
        self.counter.raw()
    }

    /// Converts ticks to nanoseconds.
    pub(crate) fn nanos(&self, ticks: u64) -> u64 {
        self.counter.delta_as_nanos(0, ticks)
    }

    pub(crate) fn duration(&self, ticks: u64) -> Duration {
        Duration::from_nanos(self.nanos(ticks))
    }

    #[cfg(feature = "prometheus")]
    pub(crate) fn seconds(&self, ticks: u64) -> f64 {
        self.nanos(ticks) as f64 / 1e9
    }

    /// Converts a duration to ticks, saturating.
    pub(crate) fn ticks_in(&self, duration: Duration) -> u64 {
        let per_span = u128::from(self.nanos(SPAN).max(1));
        let ticks = duration.as_nanos().saturating_mul(u128::from(SPAN)) / per_span;
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    /// Returns the wall-clock time, for display. Never use it to measure a duration.
    pub(crate) fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// Returns whether quanta's counter is the processor's, which quanta does not tell.
///
/// It is if each reading lies between two readings of the processor's counter, three
/// times in a row. Nanoseconds since the machine was started do not. If the thread
/// changes cores meanwhile, the result may be a false `false`, which costs a call per
/// reading.
fn reads_processor(counter: &quanta::Clock) -> bool {
    (0..3).all(|_| {
        let (before, reading, after) =
            (crate::sys::counter(), counter.raw(), crate::sys::counter());
        before != after && (before..=after).contains(&reading)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_and_durations_convert_both_ways() {
        let clock = Clock::new();
        for millis in [1, 10, 250, 5_000, 3_600_000] {
            let duration = Duration::from_millis(millis);
            let back = clock.duration(clock.ticks_in(duration));
            assert!(
                duration.abs_diff(back) < Duration::from_micros(2) * (millis as u32 / 1000 + 1)
            );
        }
        assert_eq!(clock.ticks_in(Duration::MAX), u64::MAX);
    }

    #[test]
    fn ticks_agree_with_the_operating_systems_clock() {
        let clock = Clock::new();
        let (start, reference) = (clock.ticks(), std::time::Instant::now());
        std::thread::sleep(Duration::from_millis(50));
        let (ticks, expected) = (clock.ticks() - start, reference.elapsed());
        let ratio = clock.duration(ticks).as_secs_f64() / expected.as_secs_f64();
        assert!((0.9..1.1).contains(&ratio), "ratio {ratio}");
    }
}
