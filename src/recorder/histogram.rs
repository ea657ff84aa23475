use crate::sync::{AtomicU64, Ordering, add_exclusive};

/// A histogram with `N` bounds, and one more bucket for larger values.
///
/// The number of observations is not stored: it is the sum of the buckets, so
/// a reader never sees a count that disagrees with them. The sum may be one
/// observation ahead or behind.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Histogram<const N: usize> {
    // Next to the first bucket, so that nearly every value touches one cache line.
    ticks: AtomicU64,
    buckets: [AtomicU64; N],
    above: AtomicU64,
}

/// The values of a histogram when it was read. The buckets are not cumulative.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HistogramTotals<const N: usize> {
    pub(crate) buckets: [u64; N],
    pub(crate) above: u64,
    pub(crate) ticks: u64,
}

impl<const N: usize> Histogram<N> {
    pub(crate) fn new() -> Self {
        Self {
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
            above: AtomicU64::new(0),
            ticks: AtomicU64::new(0),
        }
    }

    /// Returns the bucket of a value: the first whose bound is not below it.
    ///
    /// A scan from the smallest bound: nearly every poll ends at the first
    /// comparison.
    #[inline]
    fn bucket(&self, bounds: &[u64; N], ticks: u64) -> &AtomicU64 {
        self.buckets
            .iter()
            .zip(bounds)
            .find_map(|(bucket, bound)| (ticks <= *bound).then_some(bucket))
            .unwrap_or(&self.above)
    }

    /// Records one value. Only for a histogram that one thread writes.
    #[inline]
    pub(crate) fn record_exclusive(&self, bounds: &[u64; N], ticks: u64) {
        add_exclusive(self.bucket(bounds, ticks), 1);
        add_exclusive(&self.ticks, ticks);
    }

    /// Like [`record_exclusive`](Self::record_exclusive), for a value that is not above the
    /// first bound.
    #[inline]
    pub(crate) fn record_first(&self, ticks: u64) {
        add_exclusive(self.buckets.first().unwrap_or(&self.above), 1);
        add_exclusive(&self.ticks, ticks);
    }

    /// Records one value from any thread.
    pub(crate) fn record_shared(&self, bounds: &[u64; N], ticks: u64) {
        self.bucket(bounds, ticks).fetch_add(1, Ordering::Relaxed);
        self.ticks.fetch_add(ticks, Ordering::Relaxed);
    }

    pub(crate) fn totals(&self) -> HistogramTotals<N> {
        HistogramTotals {
            buckets: std::array::from_fn(|i| self.buckets[i].load(Ordering::Relaxed)),
            above: self.above.load(Ordering::Relaxed),
            ticks: self.ticks.load(Ordering::Relaxed),
        }
    }

    /// Adds the counts of another histogram. Only the writing thread may call it.
    pub(crate) fn absorb(&self, other: &Self) {
        let other = other.totals();
        for (mine, theirs) in self.buckets.iter().zip(other.buckets) {
            add_exclusive(mine, theirs);
        }
        add_exclusive(&self.above, other.above);
        add_exclusive(&self.ticks, other.ticks);
    }
}

#[cfg(any(test, feature = "prometheus"))]
impl<const N: usize> HistogramTotals<N> {
    pub(crate) const ZERO: Self = Self {
        buckets: [0; N],
        above: 0,
        ticks: 0,
    };

    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(other.buckets) {
            *mine += theirs;
        }
        self.above += other.above;
        // Wraps as the writer's sum does; 2^64 ticks are a century of polls.
        self.ticks = self.ticks.wrapping_add(other.ticks);
    }

    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum::<u64>() + self.above
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: [u64; 3] = [10, 100, 1000];

    #[test]
    fn a_value_on_a_bound_belongs_below_it() {
        let histogram = Histogram::<3>::new();
        for ticks in [0, 10, 11, 100, 1000, 1001, u64::MAX / 4] {
            histogram.record_exclusive(&BOUNDS, ticks);
        }
        let totals = histogram.totals();
        assert_eq!(totals.buckets, [2, 2, 1]);
        assert_eq!(totals.above, 2);
        assert_eq!(totals.count(), 7);
    }

    #[test]
    fn absorbing_and_adding_sum_everything() {
        let (a, b) = (Histogram::<3>::new(), Histogram::<3>::new());
        a.record_shared(&BOUNDS, 5);
        b.record_shared(&BOUNDS, 50);
        b.record_shared(&BOUNDS, 5000);
        a.absorb(&b);
        let mut totals = HistogramTotals::<3>::ZERO;
        totals.add(&a.totals());
        assert_eq!((totals.buckets, totals.above), ([1, 1, 0], 1));
        assert_eq!(totals.ticks, 5055);
    }
}
