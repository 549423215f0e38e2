//! The generator's one clock: nanoseconds since the run began.

use std::time::{Duration, Instant};

/// A monotonic clock whose zero is its own start, so that a stamp fits into eight bytes of payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts the clock at zero.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place where the generator reads the time"
    )]
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The time since the clock started.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The time since the clock started, in nanoseconds; it saturates after five centuries.
    pub(crate) fn nanos(&self) -> u64 {
        u64::try_from(self.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
