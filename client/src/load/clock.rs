//! The generator's one clock: nanoseconds since the run began.

use std::time::{Duration, Instant, SystemTime};

/// A monotonic clock whose zero is its own start, so that a time fits into eight bytes of payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts the clock at zero.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place where the generator reads the time"
    )]
    pub(super) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// A number that differs from run to run.
    pub(super) fn seed() -> u64 {
        let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let nanos = u64::from(since_1970.subsec_nanos());
        nanos.wrapping_mul(6_364_136_223_846_793_005) ^ since_1970.as_secs() ^ (u64::from(std::process::id()) << 20)
    }

    /// The time since the clock started.
    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The time since the clock started, in nanoseconds; it saturates after five centuries.
    pub(super) fn nanos(&self) -> u64 {
        u64::try_from(self.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The share of one count in another, as a number; infinite over zero.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(super) fn ratio(count: u64, per: u64) -> f64 {
    count as f64 / per as f64
}
