//! What the shells need to know; the brain has its own [`Limits`].

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use broker::exchange::{Open, Overseer};
use broker::limits::Limits;
use broker::router::{RetainedLimits, RouterLimits};

/// Everything that a broker is started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Addresses to listen on.
    pub bind: Vec<SocketAddr>,
    /// Lines; each is a thread.
    pub lines: u16,
    /// Bounds of each listener.
    pub listener: ListenerLimits,
    /// Longest CONNECT packet, in bytes.
    pub connect_bytes_max: u32,
    /// Bytes that may be on their way from line to line before reading stops.
    pub inbox_bytes_max: usize,
    /// Sessions that one line may hold.
    pub sessions_max: usize,
    /// Between two reports to `$SYS`; zero: none.
    pub state_interval: Duration,
    /// Longest time for saying goodbye when the broker stops.
    pub drain_timeout: Duration,
    /// The brain's bounds.
    pub limits: Limits,
    /// The routing table's bounds.
    pub router: RouterLimits,
    /// The retained messages' bounds.
    pub retained: RetainedLimits,
    /// Makes the policy of each line.
    pub overseer: fn() -> Box<dyn Overseer>,
    /// What `$SYS/broker/version` says.
    pub version: String,
    /// Where promises are kept; `None`: nothing outlives the process.
    pub store: Option<StoreSettings>,
}

/// Where and how promises are kept.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// The data directory, made if it is missing.
    pub directory: PathBuf,
    /// What holds what has left the journal.
    pub engine: StoreEngine,
    /// Size of one file of the journal, in bytes.
    pub segment_bytes: u64,
    /// Bytes of journal that are held in memory too before they are settled into the engine.
    pub journal_bytes_max: u64,
    /// Bytes that the engine keeps of what it has read.
    pub cache_bytes: u64,
    /// Free space, in bytes, below which messages are refused.
    pub free_bytes_min: u64,
    /// Bytes that may wait for the store before reading stops.
    pub backlog_bytes_max: usize,
    /// Longest wait of a commit for company when the store is busy.
    pub commit_wait_max: Duration,
    /// Bytes that one commit takes.
    pub commit_bytes_max: usize,
}

/// What holds what has left the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreEngine {
    /// A log-structured merge tree.
    Fjall,
    /// A tree of fragments.
    Sled,
}

/// The bounds of one listener.
#[derive(Debug, Clone, Copy)]
pub struct ListenerLimits {
    /// Connections at once.
    pub connections_max: usize,
    /// Connections per second that are accepted in the long run, and at once after a pause.
    pub connect_rate_per_sec: u32,
    /// See `connect_rate_per_sec`.
    pub connect_burst: u32,
    /// Time from the connection to its CONNECT.
    pub connect_timeout: Duration,
}

/// The part that every line keeps a copy of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LineSettings {
    pub(crate) lines: u16,
    pub(crate) connect_timeout: Duration,
    pub(crate) connect_bytes_max: u32,
    pub(crate) packet_bytes_max: u32,
    pub(crate) inbox_bytes_max: usize,
}

impl Settings {
    pub(crate) fn of_line(&self) -> LineSettings {
        LineSettings {
            lines: self.lines,
            connect_timeout: self.listener.connect_timeout,
            connect_bytes_max: self.connect_bytes_max,
            packet_bytes_max: self.limits.packet_bytes_max,
            inbox_bytes_max: self.inbox_bytes_max,
        }
    }
}

/// The policy of an open house.
#[must_use]
pub fn open_house() -> Box<dyn Overseer> {
    Box::new(Open)
}
