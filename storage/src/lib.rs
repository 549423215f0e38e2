//! Where a broker keeps what it promised: an ordered store of bytes with batches, and its engines.
//!
//! A key is a table and bytes, a batch is applied whole or not at all, and a commit says when what was applied survives
//! what its [`Durability`] names. Engines differ in nothing else, which the conformance test in `tests/conformance.rs`
//! holds each of them to.

pub mod archive;
mod backup;
mod batch;
mod directory;
pub mod faulty;
mod fjall;
#[cfg(test)]
mod histories;
mod inspect;
mod journal;
mod memory;
mod overlay;
pub mod record;
mod shard;
mod shelf;
mod sled;

pub use archive::{
    Archive, Counted, Cursor, Holding, Loaded, LoadedFlight, Page, QueuedRecord, StoredSession, Swept, Window,
};
pub use backup::{
    BackupEncoder, BackupHead, BackupReader, BackupTotals, CheckedBackup, FrozenWalk, StoredRecord, check_backup, pour,
    restore,
};
pub use batch::{Batch, Change, KEY_BYTES_MAX, Table, VALUE_BYTES_MAX};
pub use directory::{DataDirectory, Format};
pub use fjall::{FjallOptions, FjallStore};
pub use inspect::{
    CheckReport, EntryState, Finding, Inspection, Item, JournalReport, QueueStat, Stat, TableCount, check,
};
pub use journal::format::Stamp;
pub use journal::medium::{FileMedium, Medium, MediumFile};
pub use journal::{Recovery, Room, Torn, inspect};
pub use memory::MemoryStore;
pub use record::{
    Addressee, ContentRef, EntryRef, MessageId, MessageRecord, MessageRef, Place, SessionId, SessionRecord, StoreTime,
    SubscriptionRecord, WillRecord,
};
pub use shard::{Shard, ShardOptions, Slice};
pub use shelf::open_engine;
pub use sled::{SledOptions, SledStore};

use std::path::PathBuf;

use bytes::Bytes;

/// What a commit survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// Nothing: the data end with the process.
    Memory,
    /// The end of the process: the kernel has the data.
    Process,
    /// The loss of power: the medium has the data.
    Power,
}

/// Why a store refused or failed, by culprit.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No room on the medium, or a bound was reached. Nothing of the batch was taken; it may be tried again when there
    /// is room.
    #[error("no room: {what}")]
    Full {
        /// What is full, with its bound.
        what: String,
    },
    /// Damage: what it concerns is never served.
    #[error("{}{}: damaged: {what}; restore a backup, or start on an empty directory", file.display(), at(*offset))]
    Damaged {
        /// The file, or the directory of an engine that does not say which.
        file: PathBuf,
        /// Where in the file, in bytes.
        offset: Option<u64>,
        /// What is wrong there.
        what: String,
    },
    /// Written in a version of the format that this program does not know.
    #[error("{}: format version {found}, known up to {known}; start the version of the program that wrote it", file.display())]
    Version {
        /// The file.
        file: PathBuf,
        /// The version that the file names.
        found: u32,
        /// The newest version that is known.
        known: u32,
    },
    /// Another process has the directory open.
    #[error("{}: in use by {}; stop it, or choose another directory", directory.display(), process(*holder))]
    Locked {
        /// The directory.
        directory: PathBuf,
        /// The other process, where it says so.
        holder: Option<u32>,
    },
    /// The directory belongs to another engine.
    #[error("{}: holds the data of engine \"{found}\", not \"{asked}\"; choose that engine, or another directory", directory.display())]
    Engine {
        /// The directory.
        directory: PathBuf,
        /// The engine that the directory names.
        found: String,
        /// The engine that was asked for.
        asked: String,
    },
    /// The medium failed. After a failed write or sync nothing is promised any more until the store is opened again.
    #[error("cannot {doing} {}: {error}", file.display())]
    Failed {
        /// What was tried, as a verb that the file follows.
        doing: &'static str,
        /// The file or directory.
        file: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
}

fn at(offset: Option<u64>) -> String {
    offset.map_or_else(String::new, |offset| format!(" at offset {offset}"))
}

fn process(holder: Option<u32>) -> String {
    holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// A bound on how much one scan takes out: it ends with the entry that reaches one of the two.
///
/// So at least one entry comes whatever its size, and a scan that reached neither bound has seen everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanLimit {
    /// Entries.
    pub entries_max: usize,
    /// Bytes of keys and values.
    pub bytes_max: usize,
}

impl ScanLimit {
    /// Whether so much is enough.
    #[must_use]
    pub fn is_reached(&self, entries: usize, bytes: usize) -> bool {
        entries >= self.entries_max || bytes >= self.bytes_max
    }
}

/// An ordered store of bytes.
///
/// One thread owns a store. What it guarantees:
///
/// - [`Store::apply`] takes a batch whole or not at all, and what it took is seen by [`Store::get`] and
///   [`Store::scan`] at once.
/// - When [`Store::commit`] returns, all batches applied before survive what its durability names. A store that is
///   opened again holds the batches of some moment at or after the last such commit, in their order, whole, with none
///   left out in between. (An engine that serves as the shelf of a `Shard` need only hold for each key its value of
///   such a moment: the journal makes the moment one.)
/// - Within a table, keys are ordered as bytes are, and a scan follows that order.
pub trait Store: Send {
    /// Takes all changes of a batch, in their order.
    ///
    /// # Errors
    ///
    /// Takes none of them when there is no room ([`StoreError::Full`]: may be tried again) or the medium failed.
    fn apply(&mut self, batch: &Batch) -> Result<(), StoreError>;

    /// Makes everything that was applied survive at least what `durability` names.
    ///
    /// # Errors
    ///
    /// Nothing since the last commit of that durability may be acknowledged. After [`StoreError::Full`] what was
    /// applied stays and is seen, and the next commit tries again; after any other error the store has to be opened
    /// again.
    fn commit(&mut self, durability: Durability) -> Result<(), StoreError>;

    /// Begins to write what was applied, waits at most a moment for that, and says whether it is still under way.
    ///
    /// A commit after it said no has nothing left to wait for. An engine that cannot write beside its owner says no at
    /// once.
    ///
    /// # Errors
    ///
    /// Those of [`Store::commit`].
    fn prepare_commit(&mut self) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// The value of a key.
    ///
    /// # Errors
    ///
    /// The medium failed or holds something damaged.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// Entries of a table whose keys begin with `prefix` and lie behind `after`, ascending, within a limit.
    ///
    /// # Errors
    ///
    /// The medium failed or holds something damaged.
    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: ScanLimit,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError>;

    /// Does a bounded slice of background work and says whether there is more.
    ///
    /// # Errors
    ///
    /// The medium failed. What was committed stays; it may be called again later.
    fn maintain(&mut self) -> Result<bool, StoreError>;

    /// Bytes that the store takes on its medium; for an engine in memory, the bytes of its keys and values.
    ///
    /// # Errors
    ///
    /// The medium failed.
    fn disk_bytes(&self) -> Result<u64, StoreError>;
}
