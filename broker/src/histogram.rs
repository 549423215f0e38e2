//! Durations counted by size: a plain array, because its one writer shares it with nobody.

/// Upper bounds of the buckets, in microseconds; what is longer than the last is in one more.
pub const BOUNDS_MICROS: [u64; 17] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; BOUNDS_MICROS.len() + 1],
    sum_micros: u64,
}

impl Histogram {
    /// Counts `times` durations of the same length.
    pub fn observe(&mut self, micros: u64, times: u64) {
        let place = BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        if let Some(count) = self.counts.get_mut(place) {
            *count += times;
        }
        self.sum_micros = self.sum_micros.saturating_add(micros.saturating_mul(times));
    }

    /// How many were no longer than each of [`BOUNDS_MICROS`], and how many there were in all.
    #[must_use]
    pub fn cumulated(&self) -> ([u64; BOUNDS_MICROS.len()], u64) {
        let mut below = [0; BOUNDS_MICROS.len()];
        let mut total = 0;
        for (below, count) in below.iter_mut().zip(&self.counts) {
            total += count;
            *below = total;
        }
        (below, total + self.counts.last().copied().unwrap_or(0))
    }

    /// All of them together, in microseconds.
    #[must_use]
    pub const fn sum_micros(&self) -> u64 {
        self.sum_micros
    }

    /// Adds another's counts to these.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.sum_micros = self.sum_micros.saturating_add(other.sum_micros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_bucket_whose_bound_it_does_not_exceed() {
        let mut histogram = Histogram::default();
        for (micros, times) in [(0, 1), (50, 1), (51, 2), (10_000_000, 1), (10_000_001, 4)] {
            histogram.observe(micros, times);
        }
        let (below, total) = histogram.cumulated();
        assert_eq!(below.first(), Some(&2));
        assert_eq!(below.get(1), Some(&4));
        assert_eq!(below.last(), Some(&5));
        assert_eq!(total, 9);
        assert_eq!(histogram.sum_micros(), 50 + 2 * 51 + 10_000_000 + 4 * 10_000_001);

        let mut twice = histogram.clone();
        twice.add(&histogram);
        assert_eq!(twice.cumulated().1, 18);
    }
}
