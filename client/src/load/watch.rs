//! What somebody who watches a run gets to see.

use std::fmt;
use std::time::Duration;

/// Sees a run happen.
pub trait Watch: Sync {
    /// Called about five times a second and at each change of phase, by the thread that called [`run`](super::run).
    ///
    /// A call that takes long delays the run's own bookkeeping, not its traffic.
    fn on_moment(&self, moment: &Moment);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug)]
pub struct Quiet;

impl Watch for Quiet {
    fn on_moment(&self, _moment: &Moment) {}
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Connections are being opened.
    Connecting,
    /// Subscriptions are being made.
    Subscribing,
    /// Messages flow and nothing is measured.
    WarmingUp,
    /// What happens is measured.
    Measuring,
    /// The last messages are awaited.
    Draining,
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Connecting => "connecting",
            Self::Subscribing => "subscribing",
            Self::WarmingUp => "warming up",
            Self::Measuring => "measuring",
            Self::Draining => "draining",
        })
    }
}

/// One look at a run.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// What the run is doing.
    pub phase: Phase,
    /// How long it has been doing that.
    pub at: Duration,
    /// How long it will be doing that, if the clock decides.
    pub of: Option<Duration>,
    /// Messages sent since the start of the run; in scenario `connect`, cycles begun.
    pub sent: u64,
    /// Deliveries since the start of the run; in scenario `connect`, cycles completed.
    pub delivered: u64,
    /// Deliveries per second since the look before.
    pub rate_per_sec: f64,
    /// Median latency of late, in microseconds; 0 while there is none.
    pub p50_us: f64,
    /// 99th percentile of latency of late, in microseconds; 0 while there is none.
    pub p99_us: f64,
    /// Connections that are ready for what the phase wants of them.
    pub connected: u32,
    /// Connections that there will be.
    pub of_connections: u32,
}
