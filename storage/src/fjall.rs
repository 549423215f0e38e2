//! The engine `fjall`: a log-structured merge tree.
//!
//! Of fjall it takes the tree and leaves the journal, the memtables and the threads. What is applied is staged in
//! memory; a commit writes it, sorted, as one table file (fjall's ingestion), synced and entered into the tree's
//! version in one step. That pays three times: a record is written once instead of twice; space comes back, which
//! fjall's journal of 64 MiB would hold; and nothing of fjall that waits on the caller's thread, or that a failed
//! write stops for good, takes part. Two threads of ours live as long as they have work and tell their errors: one
//! writes what is staged, one merges tables.
//!
//! All tables share one keyspace, ordered by table and key: a commit then costs the syncs of one file.

mod background;
mod compaction;
mod error;
mod staging;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::fjall::compaction::Leveled;
use ::fjall::config::{BloomConstructionPolicy, FilterPolicy, FilterPolicyEntry};
use ::fjall::{Database, Guard, Keyspace, KeyspaceCreateOptions};
use bytes::Bytes;

use self::background::Background;
use self::compaction::Compaction;
use self::error::failure;
use self::staging::Staging;
use crate::shelf;
use crate::{Batch, Durability, ScanLimit, Store, StoreError, Table};

/// Files that are kept open.
const OPEN_FILES_MAX: usize = 64;
/// The least that fjall accepts. Its journal stays empty, so it never comes to that.
const JOURNAL_BYTES_MAX: u64 = 64 << 20;
const FILTER_BITS_PER_KEY: f32 = 10.0;
/// How often its lock is tried for. fjall waits a fifth of a second each time.
const LOCK_TRIES_MAX: u32 = 5;
/// How long the owner waits for a thread, so that one that asks in a loop does not spin.
const PAUSE: Duration = Duration::from_millis(1);
const KEYSPACE: &str = "entries";

/// How much memory the engine may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FjallOptions {
    /// Bytes that were applied and are not yet in the tree: one half is filled while the other is written.
    pub memtable_bytes: usize,
    /// Bytes of table files that are cached for reading.
    pub cache_bytes: u64,
}

impl Default for FjallOptions {
    fn default() -> Self {
        Self {
            memtable_bytes: 8 << 20,
            cache_bytes: 8 << 20,
        }
    }
}

/// An ordered store in a directory of its own.
///
/// - [`Store::commit`] with [`Durability::Process`] costs what [`Durability::Power`] costs: there is no log in between.
/// - A commit is one step: after a crash the store holds all batches up to it, or none of them since the commit before.
/// - [`StoreError::Full`] leaves everything in memory; the next commit tries again. After any other failed write all
///   calls fail, until the store is dropped and opened again.
/// - A commit waits for the disk, some 10 ms per MiB. Who must not wait asks [`Store::prepare_commit`] first.
/// - Dropping it waits for a merge of tables that is under way.
pub struct FjallStore {
    compaction: Compaction,
    writer: Option<Background>,
    /// What the writer writes, or could not write.
    writing: Arc<Staging>,
    /// What was applied since.
    fresh: Staging,
    entries: Keyspace,
    database: Database,
    directory: PathBuf,
    memtable_bytes: usize,
    is_failed: bool,
}

impl std::fmt::Debug for FjallStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FjallStore")
            .field("directory", &self.directory)
            .field("staged_bytes", &(self.fresh.bytes() + self.writing.bytes()))
            .field("is_failed", &self.is_failed)
            .finish_non_exhaustive()
    }
}

impl FjallStore {
    /// Opens the store in `directory`, which is created if it is not there.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if another process has it open, [`StoreError::Damaged`] or [`StoreError::Version`] if it
    /// cannot be read, otherwise what the medium says.
    pub fn open(directory: &Path, options: FjallOptions) -> Result<Self, StoreError> {
        let within = shelf::engine_directory(directory, |new| open(new, options).map(drop))?;
        let (database, entries) = open(&within, options)?;
        Ok(Self {
            compaction: Compaction::default(),
            writer: None,
            writing: Arc::default(),
            fresh: Staging::default(),
            entries,
            database,
            directory: directory.to_owned(),
            memtable_bytes: options.memtable_bytes,
            is_failed: false,
        })
    }

    fn check(&self) -> Result<(), StoreError> {
        shelf::check(self.is_failed, &self.directory)
    }

    /// Writes everything that was applied.
    fn flush(&mut self) -> Result<(), StoreError> {
        self.check()?;
        while !(self.writing.is_empty() && self.fresh.is_empty()) {
            self.start_write()?;
            self.finish_write(None)?;
        }
        Ok(())
    }

    /// Has the writer begin, with what it could not write before if there is such.
    fn start_write(&mut self) -> Result<(), StoreError> {
        if self.writer.is_some() {
            return Ok(());
        }
        if self.writing.is_empty() {
            if self.fresh.is_empty() {
                return Ok(());
            }
            self.writing = Arc::new(std::mem::take(&mut self.fresh));
        }
        let (database, entries, staged) = (self.database.clone(), self.entries.clone(), self.writing.clone());
        let writer = Background::start("fjall-writer", move || write(&database, &entries, &staged));
        self.writer = Some(writer.map_err(|error| shelf::failure("start to write to", &self.directory, error))?);
        Ok(())
    }

    /// Says whether the writer is still at work after `wait`; without `wait` its end is awaited.
    fn finish_write(&mut self, wait: Option<Duration>) -> Result<bool, StoreError> {
        let Some(writer) = &mut self.writer else {
            return Ok(false);
        };
        let Some(outcome) = writer.outcome(wait) else {
            return Ok(true);
        };
        self.writer = None;
        let Err(error) = outcome else {
            self.writing = Arc::default();
            return Ok(false);
        };
        let error = failure("write to", &self.directory, error);
        self.is_failed = !matches!(error, StoreError::Full { .. });
        self.compaction.leave_remains();
        Err(error)
    }
}

/// Writes what is staged into the tree, where it survives a power cut: all of it in one step.
fn write(database: &Database, entries: &Keyspace, staged: &Staging) -> Result<(), ::fjall::Error> {
    let mut ingestion = entries.start_ingestion()?;
    for (place, value) in staged.iter() {
        match value {
            Some(value) => ingestion.write(place.clone(), value.clone())?,
            None => ingestion.write_tombstone(place.clone())?,
        }
    }
    ingestion.finish()?;
    compaction::release_old_versions(database, entries)
}

fn open(directory: &Path, options: FjallOptions) -> Result<(Database, Keyspace), StoreError> {
    let (database, entries) = shelf::open(directory, LOCK_TRIES_MAX, || {
        let failed = |error| failure("open", directory, error);
        // No threads of fjall's: one of them that meets a full disk ends, and everything after it fails.
        let database = Database::builder(directory)
            .cache_size(options.cache_bytes)
            .max_cached_files(Some(OPEN_FILES_MAX))
            .max_journaling_size(JOURNAL_BYTES_MAX)
            .worker_threads_unchecked(0)
            .open()
            .map_err(failed)?;
        let entries = database.keyspace(KEYSPACE, keyspace_options).map_err(failed)?;
        Ok((database, entries))
    })?;
    // fjall leaves the name of its keyspace's directory unsynced; one without it opens as empty.
    entries.path().parent().map_or(Ok(()), shelf::sync_directory)?;
    Ok((database, entries))
}

fn keyspace_options() -> KeyspaceCreateOptions {
    let bits = BloomConstructionPolicy::BitsPerKey(FILTER_BITS_PER_KEY);
    KeyspaceCreateOptions::default()
        .compaction_strategy(Arc::new(leveled()))
        .filter_policy(FilterPolicy::all(FilterPolicyEntry::Bloom(bits)))
}

/// Small files: space that is free comes back in small steps, and a step is small work.
fn leveled() -> Leveled {
    Leveled::default()
        .with_l0_threshold(compaction::FRESH_FILES_MAX)
        .with_table_target_size(compaction::FILE_BYTES)
}

impl Store for FjallStore {
    fn apply(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.check()?;
        batch.check()?;
        if self.fresh.bytes() >= self.memtable_bytes / 2 {
            // Before the batch is taken, so that it is refused whole.
            while !self.writing.is_empty() {
                self.start_write()?;
                self.finish_write(None)?;
            }
            self.start_write()?;
        }
        self.fresh.apply(batch);
        Ok(())
    }

    fn commit(&mut self, durability: Durability) -> Result<(), StoreError> {
        match durability {
            Durability::Memory => self.check(),
            Durability::Process | Durability::Power => self.flush(),
        }
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.check()?;
        let place = shelf::place(table, key);
        if let Some(staged) = self.fresh.get(&place).or_else(|| self.writing.get(&place)) {
            return Ok(staged.cloned());
        }
        let value = self.entries.get(&place);
        let value = value.map_err(|error| failure("read", &self.directory, error))?;
        Ok(value.map(Bytes::from))
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: ScanLimit,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        self.check()?;
        let Some(range) = shelf::range(table, prefix, after) else {
            return Ok(Vec::new());
        };
        let written = self.entries.range::<Vec<u8>, _>(range.clone()).map(Guard::into_inner);
        let written = written.map(|entry| entry.map(|(place, value)| (Bytes::from(place), Bytes::from(value))));
        let mut bytes = 0;
        let mut found = Vec::new();
        let below = self.writing.over(&range, written);
        for entry in self.fresh.over(&range, below) {
            if limit.is_reached(found.len(), bytes) {
                break;
            }
            let (place, value) = entry.map_err(|error| failure("read", &self.directory, error))?;
            let key = place.slice(1..);
            bytes += key.len() + value.len();
            found.push((key, value));
        }
        Ok(found)
    }

    fn prepare_commit(&mut self) -> Result<bool, StoreError> {
        self.check()?;
        self.start_write()?;
        let is_at_work = self.finish_write(Some(PAUSE))?;
        Ok(is_at_work || !self.fresh.is_empty())
    }

    /// Merges tables on a thread of its own and waits at most two milliseconds for it.
    ///
    /// It says that there is more as long as that thread or the writer is at work.
    fn maintain(&mut self) -> Result<bool, StoreError> {
        self.check()?;
        if self.finish_write(Some(PAUSE))? {
            return Ok(true);
        }
        let more = self.compaction.maintain(&self.database, &self.entries, PAUSE);
        // A merge that panicked may have left the tree half changed in memory.
        self.is_failed |= matches!(more, Err(::fjall::Error::Poisoned));
        more.map_err(|error| failure("merge the tables of", &self.directory, error))
    }

    fn disk_bytes(&self) -> Result<u64, StoreError> {
        shelf::allocated_bytes(&self.directory)
    }
}
