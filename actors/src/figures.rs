//! What a broker that runs can say of itself in numbers. Each line counts for itself; who asks adds up.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use broker::counters::Counters;
use broker::durable::Health;
use broker::histogram::Histogram;
use broker::line::Holdings;
use broker::memory::Memory;
use parking_lot::Mutex;

/// Everything, as of one scrape.
#[derive(Debug)]
pub struct Figures {
    /// The broker's version.
    pub version: String,
    /// Since its start.
    pub uptime: Duration,
    /// Each line's as it answered last, by its number; `None`: it never has.
    pub lines: Vec<Option<LineFigures>>,
    /// Whether each line answered this time; one that did not is stuck or has ended.
    pub answering: Vec<bool>,
    /// The listeners.
    pub listeners: Vec<ListenerFigures>,
    /// Subscriptions of all sessions.
    pub subscriptions: usize,
    /// Retained messages.
    pub retained: usize,
    /// What they count for, in bytes.
    pub retained_bytes: usize,
    /// How much memory there is for more.
    pub memory: Memory,
    /// Memory in use.
    pub memory_bytes: u64,
    /// Memory that may be used.
    pub memory_bytes_max: u64,
    /// What the allocator has.
    pub allocator: Option<AllocatorFigures>,
    /// Log records written, by level.
    pub log_records: Vec<(&'static str, u64)>,
    /// Log records that nobody took.
    pub log_dropped: u64,
    /// Spans of traced messages: what became of them, how often.
    pub spans: Vec<(&'static str, u64)>,
    /// Connections that there are descriptors for.
    pub connections_max: usize,
    /// The store; `None`: nothing outlives the process.
    pub store: Option<StoreFigures>,
    /// How clients proved who they are: method, result, how often.
    pub authentications: Vec<(&'static str, &'static str, u64)>,
    /// Each rule's name: how often it was asked, matched and failed.
    pub rules: Vec<(String, [u64; 3])>,
}

/// One line.
#[derive(Clone, Debug, Default)]
pub struct LineFigures {
    /// What its brain has counted.
    pub counters: Counters,
    /// Names of the filters and groups that messages are counted by, in the order of their counts.
    pub filters: Vec<String>,
    /// See `filters`.
    pub groups: Vec<String>,
    /// Turns that it has ended.
    pub turns: u64,
    /// How late its timer was, at each of its looks.
    pub lag: Histogram,
    /// Conversations that are open or being ended.
    pub conversations: usize,
    /// Messages of other lines that wait for it, in turns' worth.
    pub mailbox: usize,
    /// What they count for, in bytes.
    pub inbox_bytes: usize,
    /// Topics whose receivers it remembers.
    pub topics_cached: usize,
    /// What its sessions hold.
    pub holdings: Holdings,
    /// What its flight recorder holds, in bytes.
    pub recorder_bytes: usize,
}

/// One listener.
#[derive(Clone, Debug)]
pub struct ListenerFigures {
    /// What logs call it.
    pub name: String,
    /// What carries MQTT there.
    pub transport: &'static str,
    /// Connections open.
    pub open: usize,
    /// Connections that may be.
    pub connections_max: usize,
    /// Connections that got through to MQTT.
    pub established: u64,
    /// Those that did not, by the reason.
    pub failures: Vec<(&'static str, u64)>,
    /// When its certificates end: file, seconds of Unix time.
    pub certificates: Vec<(String, i64)>,
}

/// Where figures come from that only the process knows.
#[derive(Clone, Copy, Debug)]
pub struct Probes {
    /// What the allocator has taken; `None`: it does not tell.
    pub allocator: fn() -> Option<AllocatorFigures>,
    /// Log records written, by level.
    pub log_records: fn() -> Vec<(&'static str, u64)>,
    /// Log records that nobody took.
    pub log_dropped: fn() -> u64,
}

/// What the allocator has taken from the system, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllocatorFigures {
    /// In use by the program.
    pub allocated: u64,
    /// In pages that hold something.
    pub active: u64,
    /// Its own book-keeping.
    pub metadata: u64,
    /// In memory.
    pub resident: u64,
}

/// The store.
#[derive(Clone, Debug)]
pub struct StoreFigures {
    /// How it is.
    pub health: Health,
    /// Commits that reached the kernel, and those of them that reached the device.
    pub commits: u64,
    /// See `commits`.
    pub commits_synced: u64,
    /// From taking a group of batches up to its promise being good.
    pub commit: Histogram,
    /// Writing the journal and having the device keep it.
    pub sync: Histogram,
    /// Batches taken up.
    pub batches: u64,
    /// Batches that wait.
    pub batches_waiting: usize,
    /// What waits, in bytes.
    pub backlog_bytes: usize,
    /// Bytes of the journal's files.
    pub journal_bytes: u64,
    /// Bytes of memory of what the engine does not have yet.
    pub overlay_bytes: usize,
    /// Changes among them.
    pub overlay_entries: usize,
    /// Whether the engine has failed and has not been opened again.
    pub engine_failed: bool,
}

impl Default for StoreFigures {
    fn default() -> Self {
        Self {
            health: Health::Well,
            commits: 0,
            commits_synced: 0,
            commit: Histogram::default(),
            sync: Histogram::default(),
            batches: 0,
            batches_waiting: 0,
            backlog_bytes: 0,
            journal_bytes: 0,
            overlay_bytes: 0,
            overlay_entries: 0,
            engine_failed: false,
        }
    }
}

/// The store's figures as its thread wrote them last: a lock that is taken once a commit and once a scrape.
pub(crate) type StoreBoard = Arc<Mutex<StoreFigures>>;

/// What a line's shell counts.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    turns: Cell<u64>,
    lag: RefCell<Histogram>,
}

impl Gauges {
    /// A turn has ended.
    pub(crate) fn count_turn(&self) {
        self.turns.set(self.turns.get() + 1);
    }

    /// The line's timer was late by this much.
    pub(crate) fn note_lag(&self, late_millis: u64) {
        self.lag.borrow_mut().observe(late_millis.saturating_mul(1000), 1);
    }

    pub(crate) fn turns(&self) -> u64 {
        self.turns.get()
    }

    pub(crate) fn lag(&self) -> Histogram {
        self.lag.borrow().clone()
    }
}

/// From who operates the broker to a line: what have you counted? Bounded work; a full box is an answer that does not
/// come.
#[derive(Debug, actix::Message)]
#[rtype(result = "Box<LineFigures>")]
pub(crate) struct Measure;
