//! The one place where time is read.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use broker::message::Millis;

/// A clock that all lines share. It begins with the system's time and goes on by itself: it never goes back, whatever
/// becomes of the system's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
    begun: Millis,
}

impl Clock {
    /// A clock that starts with the milliseconds since 1970, and not before `not_before`: the last time that a store has
    /// seen, so that deadlines in it do not move away when the system's clock was set back.
    #[must_use]
    pub(crate) fn start(not_before: Millis) -> Self {
        Self {
            origin: instant(),
            begun: wall().max(not_before),
        }
    }

    /// When it began.
    #[must_use]
    pub(crate) fn begun(&self) -> Millis {
        self.begun
    }

    /// The time at this moment.
    #[must_use]
    pub(crate) fn now(&self) -> Millis {
        self.begun.plus(self.uptime_millis())
    }

    /// The time at this moment, in microseconds.
    #[must_use]
    pub(crate) fn micros(&self) -> u64 {
        let since = u64::try_from(since(self.origin).as_micros()).unwrap_or(u64::MAX);
        self.begun.0.saturating_mul(1000).saturating_add(since)
    }

    /// Milliseconds since the start.
    #[must_use]
    pub(crate) fn uptime_millis(&self) -> u64 {
        u64::try_from(since(self.origin).as_millis()).unwrap_or(u64::MAX)
    }
}

/// The system's time, in milliseconds since 1970.
pub(crate) fn wall() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[allow(clippy::disallowed_methods, reason = "this is the clock")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// The time since an instant.
pub(crate) fn since(begun: Instant) -> Duration {
    instant().duration_since(begun)
}

/// The instant `after` from this one.
pub(crate) fn deadline(after: Duration) -> Instant {
    instant() + after
}

/// The time until an instant; zero if it has passed.
pub(crate) fn until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(instant())
}
