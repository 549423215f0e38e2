//! The one place where time is read.

use std::time::Instant;

use broker::message::Millis;

/// A monotonic clock that all lines share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that starts at 0.
    #[must_use]
    pub(crate) fn start() -> Self {
        Self { origin: monotonic() }
    }

    /// Milliseconds since the start.
    #[must_use]
    pub(crate) fn now(&self) -> Millis {
        Millis(u64::try_from(monotonic().duration_since(self.origin).as_millis()).unwrap_or(u64::MAX))
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the clock")]
fn monotonic() -> Instant {
    Instant::now()
}

/// The instant `after` from this one.
pub(crate) fn deadline(after: std::time::Duration) -> Instant {
    monotonic() + after
}
