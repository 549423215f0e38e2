//! A page in Prometheus's text format while it is being filled.

use std::collections::BTreeMap;

use actors::broker::histogram::{BOUNDS_MICROS, Histogram};
use prometheus::TextEncoder;
use prometheus::proto;

use super::family::{Family, Shape};

const MICROS_PER_SEC: f64 = 1e6;

/// Families in the order of their names, each with its figures.
#[derive(Debug, Default)]
pub(super) struct Page(BTreeMap<&'static str, proto::MetricFamily>);

impl Page {
    /// Adds a figure. As many label values are wanted as the family has labels.
    pub(super) fn add(&mut self, family: &'static Family, labels: &[&str], value: f64) {
        let mut metric = labelled(family, labels);
        match family.shape {
            Shape::Counter => {
                let mut counter = proto::Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            }
            Shape::Gauge | Shape::Histogram => {
                let mut gauge = proto::Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
        }
        self.of(family).mut_metric().push(metric);
    }

    /// Adds a whole number. Beyond 2^53 it is rounded, as everything is that Prometheus keeps.
    pub(super) fn count(&mut self, family: &'static Family, labels: &[&str], value: u64) {
        self.add(family, labels, value as f64);
    }

    /// Adds durations.
    pub(super) fn durations(&mut self, family: &'static Family, labels: &[&str], durations: &Histogram) {
        let (below, total) = durations.cumulated();
        let bucket = |(count, bound): (&u64, &u64)| {
            let mut bucket = proto::Bucket::default();
            bucket.set_cumulative_count(*count);
            bucket.set_upper_bound(*bound as f64 / MICROS_PER_SEC);
            bucket
        };
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(below.iter().zip(&BOUNDS_MICROS).map(bucket).collect());
        histogram.set_sample_count(total);
        histogram.set_sample_sum(durations.sum_micros() as f64 / MICROS_PER_SEC);
        let mut metric = labelled(family, labels);
        metric.set_histogram(histogram);
        self.of(family).mut_metric().push(metric);
    }

    fn of(&mut self, family: &'static Family) -> &mut proto::MetricFamily {
        self.0.entry(family.name).or_insert_with(|| {
            let mut fresh = proto::MetricFamily::default();
            fresh.set_name(family.name.to_owned());
            fresh.set_help(family.help.to_owned());
            fresh.set_field_type(match family.shape {
                Shape::Counter => proto::MetricType::COUNTER,
                Shape::Gauge => proto::MetricType::GAUGE,
                Shape::Histogram => proto::MetricType::HISTOGRAM,
            });
            fresh
        })
    }

    /// The text.
    ///
    /// # Errors
    ///
    /// A family without a name or a figure, which is a mistake of ours.
    pub(super) fn text(self) -> Result<String, prometheus::Error> {
        let families: Vec<proto::MetricFamily> = self.0.into_values().collect();
        TextEncoder::new().encode_to_string(&families)
    }
}

fn labelled(family: &Family, labels: &[&str]) -> proto::Metric {
    debug_assert_eq!(family.labels.len(), labels.len(), "labels of {}", family.name);
    let pair = |(name, value): (&&str, &&str)| {
        let mut pair = proto::LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    proto::Metric::from_label(family.labels.iter().zip(labels).map(pair).collect())
}

/// A variant's name as a label's value: `NotAuthorized` becomes `not_authorized`.
pub(super) fn word(variant: &impl std::fmt::Debug) -> String {
    let mut word = String::new();
    for letter in format!("{variant:?}").chars() {
        if letter.is_ascii_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.push(letter.to_ascii_lowercase());
    }
    word
}
