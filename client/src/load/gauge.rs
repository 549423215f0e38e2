//! Latencies, from the nanosecond to the figures of a report.

use hdrhistogram::Histogram;

use super::outcome::Latency;

/// Longer latencies count as this long: ten minutes.
const HIGHEST_NS: u64 = 600_000_000_000;
/// Relative precision of a latency: three digits.
const DIGITS: u8 = 3;

/// A histogram of latencies.
#[derive(Clone, Debug)]
pub(super) struct Gauge {
    /// `None` only if the library refused the constants above, which a test rules out.
    histogram: Option<Histogram<u64>>,
    /// Messages that one read brought share their latency: it is entered once for all.
    run: (u64, u64),
}

impl Gauge {
    pub(super) fn new() -> Self {
        Self {
            histogram: Histogram::new_with_bounds(1, HIGHEST_NS, DIGITS).ok(),
            run: (0, 0),
        }
    }

    /// Counts one latency.
    #[inline]
    pub(super) fn record(&mut self, nanos: u64) {
        self.record_many(nanos, 1);
    }

    /// Counts a latency that several deliveries share.
    #[inline]
    pub(super) fn record_many(&mut self, nanos: u64, deliveries: u64) {
        let (value, count) = &mut self.run;
        if *value == nanos {
            *count += deliveries;
            return;
        }
        self.settle();
        self.run = (nanos, deliveries);
    }

    /// Adds what another gauge has counted.
    pub(super) fn add(&mut self, mut other: Self) {
        self.settle();
        other.settle();
        if let (Some(histogram), Some(other)) = (&mut self.histogram, &other.histogram) {
            // Both have the same bounds, so that nothing can fall outside.
            let _ = histogram.add(other);
        }
    }

    /// The latency in microseconds that `share` (0 to 1) of the counted ones do not exceed; `None` without any.
    pub(super) fn quantile_us(&self, share: f64) -> Option<f64> {
        let histogram = self.histogram.as_ref().filter(|histogram| !histogram.is_empty())?;
        Some(micros(histogram.value_at_quantile(share).min(histogram.max())))
    }

    /// How many latencies were counted.
    pub(super) fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, Histogram::len) + self.run.1
    }

    /// The figures; `None` if nothing was counted.
    pub(super) fn latency(&self) -> Option<Latency> {
        let mut whole = self.clone();
        whole.settle();
        let histogram = whole.histogram.as_ref().filter(|histogram| !histogram.is_empty())?;
        let at = |share: f64| whole.quantile_us(share).unwrap_or(0.0);
        Some(Latency {
            count: histogram.len(),
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: micros(histogram.max()),
            mean_us: histogram.mean() / 1e3,
            distribution: percentiles(histogram.len())
                .map(|percent| (percent, at(percent / 100.0)))
                .collect(),
        })
    }

    /// Enters the run of equal latencies that is under way.
    pub(super) fn settle(&mut self) {
        let (value, count) = std::mem::take(&mut self.run);
        if count > 0
            && let Some(histogram) = &mut self.histogram
        {
            // The value is within the bounds, so that this cannot fail.
            let _ = histogram.record_n(value.clamp(1, HIGHEST_NS), count);
        }
    }
}

/// Percentiles for a chart whose axis shows each further nine as wide as the one before, up to what `count` can tell.
fn percentiles(count: u64) -> impl Iterator<Item = f64> {
    const STEPS_PER_NINE: u32 = 12;
    let finest = super::clock::ratio(1, count.max(1));
    let steps = (0..=STEPS_PER_NINE * 6)
        .map(|step| 10_f64.powf(-f64::from(step) / f64::from(STEPS_PER_NINE)))
        .take_while(move |rest| *rest >= finest)
        .map(|rest| (1.0 - rest) * 100.0);
    steps.chain([100.0])
}

#[expect(clippy::cast_precision_loss, reason = "latencies stay far below 2^53 ns")]
fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1e3
}

#[cfg(test)]
mod tests;
