//! Latencies in a table of fixed size: exact below 64 ns, within 1.6 % above.

const STEPS: usize = 64;
const SLOTS: usize = 59 * STEPS;

/// Counts of durations, 64 slots to each power of two.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    slots: Vec<u64>,
    count: u64,
}

impl Histogram {
    /// An empty table.
    pub(crate) fn new() -> Self {
        Self {
            slots: vec![0; SLOTS],
            count: 0,
        }
    }

    /// Counts one duration, in nanoseconds.
    pub(crate) fn record(&mut self, nanos: u64) {
        if let Some(slot) = self.slots.get_mut(slot_of(nanos)) {
            *slot += 1;
            self.count += 1;
        }
    }

    /// The duration in nanoseconds that `share` (0 to 1) of the counted ones do not exceed; `None` without any.
    pub(crate) fn quantile(&self, share: f64) -> Option<u64> {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank that is off by one in 2^53 does not move a percentile"
        )]
        let rank = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        self.slots.iter().enumerate().find_map(|(slot, &count)| {
            seen += count;
            (seen >= rank).then(|| upper_bound(slot))
        })
    }
}

fn slot_of(nanos: u64) -> usize {
    let shift = (64 - nanos.leading_zeros()).saturating_sub(7);
    let mantissa = usize::try_from(nanos >> shift).unwrap_or(usize::MAX);
    mantissa.saturating_add(STEPS * usize::try_from(shift).unwrap_or(0))
}

fn upper_bound(slot: usize) -> u64 {
    let shift = (slot / STEPS).saturating_sub(1);
    let mantissa = u64::try_from(slot - STEPS * shift).unwrap_or(0);
    (mantissa << shift) | ((1 << shift) - 1)
}

#[cfg(test)]
mod tests;
