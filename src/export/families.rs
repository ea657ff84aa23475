use prometheus::proto;

use super::names::{Kind, METRICS, Metric};
use crate::clock::Clock;
use crate::recorder::HistogramTotals;

/// Prometheus' metric families, built one sample at a time.
pub(super) struct Families<'c> {
    namespace: &'c str,
    clock: &'c Clock,
    /// The samples of each metric, in the order of the table.
    samples: Vec<Vec<proto::Metric>>,
    series: usize,
}

impl<'c> Families<'c> {
    pub(super) fn new(namespace: &'c str, clock: &'c Clock) -> Self {
        Self {
            namespace,
            clock,
            samples: METRICS.iter().map(|_| Vec::new()).collect(),
            series: 0,
        }
    }

    /// Returns how many time series have been added so far.
    pub(super) fn series(&self) -> usize {
        self.series
    }

    /// Adds a sample of a counter or a gauge.
    pub(super) fn value(&mut self, metric: &Metric, labels: &[(&str, &str)], value: f64) {
        let mut sample = proto::Metric::from_label(label_pairs(labels));
        if metric.kind == Kind::Counter {
            let mut counter = proto::Counter::default();
            counter.set_value(value);
            sample.set_counter(counter);
        } else {
            let mut gauge = proto::Gauge::default();
            gauge.set_value(value);
            sample.set_gauge(gauge);
        }
        self.push(metric, sample, 1);
    }

    /// Adds a sample of a histogram.
    pub(super) fn histogram<const N: usize>(
        &mut self,
        metric: &Metric,
        labels: &[(&str, &str)],
        totals: &HistogramTotals<N>,
    ) {
        let mut cumulative = 0;
        let buckets = metric
            .buckets
            .iter()
            .zip(totals.buckets)
            .map(|(bound, count)| {
                cumulative += count;
                let mut bucket = proto::Bucket::default();
                bucket.set_upper_bound(*bound);
                bucket.set_cumulative_count(cumulative);
                bucket
            })
            .collect();
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(buckets);
        histogram.set_sample_count(totals.count());
        histogram.set_sample_sum(self.clock.seconds(totals.ticks));
        let mut sample = proto::Metric::from_label(label_pairs(labels));
        sample.set_histogram(histogram);
        // One series for each bound, and three for +Inf, sum and count.
        self.push(metric, sample, N + 3);
    }

    fn push(&mut self, metric: &Metric, sample: proto::Metric, series: usize) {
        let index = METRICS.iter().position(|known| known.name == metric.name);
        if let Some(samples) = index.and_then(|index| self.samples.get_mut(index)) {
            samples.push(sample);
            self.series += series;
        }
    }

    /// Returns the families that have samples, in the order of the table.
    pub(super) fn finish(self) -> Vec<proto::MetricFamily> {
        let families = METRICS.iter().zip(self.samples);
        families
            .filter(|(_, samples)| !samples.is_empty())
            .map(|(metric, samples)| {
                let mut family = proto::MetricFamily::default();
                family.set_name(full_name(self.namespace, metric));
                family.set_help(metric.help.to_owned());
                family.set_field_type(match metric.kind {
                    Kind::Counter => proto::MetricType::COUNTER,
                    Kind::Gauge => proto::MetricType::GAUGE,
                    Kind::Histogram => proto::MetricType::HISTOGRAM,
                });
                family.set_metric(samples);
                family
            })
            .collect()
    }
}

pub(super) fn full_name(namespace: &str, metric: &Metric) -> String {
    format!("{namespace}_{}", metric.name)
}

fn label_pairs(labels: &[(&str, &str)]) -> Vec<proto::LabelPair> {
    labels
        .iter()
        .map(|(name, value)| {
            let mut pair = proto::LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        })
        .collect()
}
