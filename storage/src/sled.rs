//! The engine `sled`, with what it lacks to keep a promise.
//!
//! As it is, sled 0.34 writes with `sync_file_range`, which is no promise: a power cut takes everything. So after its
//! flush we sync its file ourselves, and its directory, whose names it leaves unsynced. Its own flusher is off, because
//! a store that it flushed while it was cut could not always be opened. Values beyond 32 KiB are cut into chunks,
//! because sled moves large nodes into files of their own that it does not sync; for the same reason its segments have
//! their largest size, 16 MiB. And what is left of a snapshot that was not finished is removed before sled meets it.
//!
//! What that costs, against `fjall`: several times the CPU per record, and space that is used again but never given
//! back, three to seven times that of what was stored. `benches/engines.rs` and the test of the space have the figures.

#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::{FlockOperation, flock, statvfs};

use self::value::{Form, Writes};
use crate::shelf::{self, failure};
use crate::{Batch, Change, Durability, ScanLimit, Store, StoreError, Table};

/// The largest that sled takes.
const SEGMENT_BYTES: usize = 16 << 20;
/// Free space below which nothing is applied: sled cannot be used further once a write of its own met a full disk.
const FREE_BYTES_MIN: u64 = 4 * SEGMENT_BYTES as u64;
/// Bytes that sled writes for each byte that it is given, at most while one batch is applied.
const WRITTEN_PER_BYTE: u64 = 4;
/// How often its lock is tried for, with a pause between.
const LOCK_TRIES_MAX: u32 = 100;

/// How much memory the engine may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SledOptions {
    /// Bytes of nodes that are kept in memory.
    pub cache_bytes: u64,
}

impl Default for SledOptions {
    fn default() -> Self {
        Self { cache_bytes: 16 << 20 }
    }
}

/// An ordered store in a directory of its own.
///
/// - A batch is one step: after a crash the store holds all batches up to some moment at or after the last commit.
/// - [`StoreError::Full`] comes before anything is taken. After any failed write all calls fail, until the store is
///   dropped and opened again.
#[derive(Debug)]
pub struct SledStore {
    entries: ::sled::Db,
    /// A handle of our own on sled's file, to sync it.
    file: File,
    directory: PathBuf,
    is_failed: bool,
}

impl SledStore {
    /// Opens the store in `directory`, which is created if it is not there.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if another process has it open, [`StoreError::Damaged`] if it cannot be read, otherwise
    /// what the medium says.
    pub fn open(directory: &Path, options: SledOptions) -> Result<Self, StoreError> {
        let within = shelf::engine_directory(directory, |new| open(new, options).map(drop))?;
        let (entries, file) = open(&within, options)?;
        Ok(Self {
            entries,
            file,
            directory: within,
            is_failed: false,
        })
    }

    fn check(&self) -> Result<(), StoreError> {
        shelf::check(self.is_failed, &self.directory)
    }

    /// Keeps in mind that a write failed: nobody knows what sled holds then.
    fn written<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        self.is_failed |= result.is_err();
        result
    }

    /// Refuses a batch that might fill the disk.
    fn check_room(&self, batch: &Batch) -> Result<(), StoreError> {
        let space =
            statvfs(&self.directory).map_err(|error| failure("ask the room of", &self.directory, error.into()))?;
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        let size = u64::try_from(batch.bytes()).unwrap_or(u64::MAX);
        let wanted = FREE_BYTES_MIN.saturating_add(size.saturating_mul(WRITTEN_PER_BYTE));
        if free >= wanted {
            return Ok(());
        }
        let directory = self.directory.display();
        Err(StoreError::Full {
            what: format!("{directory}: {free} bytes free, engine \"sled\" needs {wanted} to go on; free space there"),
        })
    }

    /// The batch in sled's terms: the last change of each place, and the chunks that come and go with it.
    fn writes(&self, batch: &Batch) -> Result<Writes, StoreError> {
        let mut last = BTreeMap::new();
        for change in batch.changes() {
            match change {
                Change::Put { table, key, value } => last.insert(shelf::place(table, key), Some(value)),
                Change::Remove { table, key } => last.insert(shelf::place(table, key), None),
            };
        }
        let mut writes = Writes::default();
        for (place, value) in last {
            let old = self.read(&value::entry_key(&place))?;
            let old_chunks = old.map_or(Ok(0), |old| self.form(&old).map(|form| form.chunks()))?;
            writes.change(&place, value, old_chunks);
        }
        Ok(writes)
    }

    fn read(&self, key: &[u8]) -> Result<Option<::sled::IVec>, StoreError> {
        let value = self.entries.get(key);
        value.map_err(|error| blame("read", &self.directory, error))
    }

    fn form<'a>(&self, stored: &'a [u8]) -> Result<Form<'a>, StoreError> {
        Form::of(stored).ok_or_else(|| self.damaged("an entry has no known form"))
    }

    fn whole(&self, place: &[u8], stored: &[u8]) -> Result<Bytes, StoreError> {
        let (chunks, bytes) = match self.form(stored)? {
            Form::Inline(value) => return Ok(Bytes::copy_from_slice(value)),
            Form::Chunked { chunks, bytes } => (chunks, bytes),
        };
        let mut value = Vec::with_capacity(bytes);
        for chunk in 0..chunks {
            let found = self.read(&value::chunk_key(place, chunk))?;
            let found = found.ok_or_else(|| self.damaged("a chunk of a value is missing"))?;
            value.extend_from_slice(&found);
        }
        if value.len() == bytes {
            Ok(value.into())
        } else {
            Err(self.damaged("the chunks of a value have another length than the value"))
        }
    }

    fn damaged(&self, what: &str) -> StoreError {
        StoreError::Damaged {
            file: self.directory.join("db"),
            offset: None,
            what: what.to_owned(),
        }
    }
}

impl Store for SledStore {
    fn apply(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.check()?;
        batch.check()?;
        self.check_room(batch)?;
        let writes = self.writes(batch)?;
        let applied = self.entries.apply_batch(writes.into_batch());
        let applied = applied.map_err(|error| blame("write to", &self.directory, error));
        self.written(applied)
    }

    fn commit(&mut self, durability: Durability) -> Result<(), StoreError> {
        self.check()?;
        if durability == Durability::Memory {
            return Ok(());
        }
        let flushed = self.entries.flush();
        let flushed = flushed.map_err(|error| blame("write to", &self.directory, error));
        self.written(flushed)?;
        if durability == Durability::Power {
            let synced = self.file.sync_data();
            let synced = synced.map_err(|error| failure("sync", &self.directory.join("db"), error));
            self.written(synced)?;
        }
        Ok(())
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.check()?;
        let place = shelf::place(table, key);
        let stored = self.read(&value::entry_key(&place))?;
        stored.map(|stored| self.whole(&place, &stored)).transpose()
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: ScanLimit,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        self.check()?;
        let mut bytes = 0;
        let mut found = Vec::new();
        let Some(range) = shelf::range(table, prefix, after) else {
            return Ok(found);
        };
        for entry in self.entries.range::<Vec<u8>, _>(value::entry_range(range)) {
            if limit.is_reached(found.len(), bytes) {
                break;
            }
            let (stored_key, stored) = entry.map_err(|error| blame("read", &self.directory, error))?;
            let place = value::place_of(&stored_key).ok_or_else(|| self.damaged("a key has no known form"))?;
            let value = self.whole(place, &stored)?;
            let key = Bytes::copy_from_slice(place.get(1..).unwrap_or_default());
            bytes += key.len() + value.len();
            found.push((key, value));
        }
        Ok(found)
    }

    /// sled rewrites its segments while it is written to; there is nothing to do beside that.
    fn maintain(&mut self) -> Result<bool, StoreError> {
        self.check()?;
        Ok(false)
    }

    fn disk_bytes(&self) -> Result<u64, StoreError> {
        shelf::allocated_bytes(&self.directory)
    }
}

/// Opens sled, and its file once more for ourselves.
fn open(directory: &Path, options: SledOptions) -> Result<(::sled::Db, File), StoreError> {
    let path = directory.join("db");
    let file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path);
    let file = file.map_err(|error| failure("open", &path, error))?;
    let config = ::sled::Config::new()
        .path(directory)
        .segment_size(SEGMENT_BYTES)
        .cache_capacity(options.cache_bytes)
        .mode(::sled::Mode::LowSpace)
        .flush_every_ms(None);
    let entries = shelf::open(directory, LOCK_TRIES_MAX, || {
        remove_unfinished_snapshots(directory, &file)?;
        config.open().map_err(|error| blame("open", directory, error))
    })?;
    sync_all_files(directory)?;
    Ok((entries, file))
}

/// Syncs what sled wrote while it was opened: its settings, its snapshot and their names.
fn sync_all_files(directory: &Path) -> Result<(), StoreError> {
    let files = std::fs::read_dir(directory).map_err(|error| failure("list", directory, error))?;
    for path in files.flatten().map(|file| file.path()) {
        File::open(&path)
            .and_then(|handle| handle.sync_all())
            .map_err(|error| failure("sync", &path, error))?;
    }
    shelf::sync_directory(directory)
}

/// Removes what a process that ended while it opened the store left of a snapshot; sled would take it for the newest.
///
/// The snapshot before it is still there, and the log from there on.
fn remove_unfinished_snapshots(directory: &Path, file: &File) -> Result<(), StoreError> {
    // Whoever has the store open may be writing one.
    flock(file, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
        rustix::io::Errno::WOULDBLOCK => locked(directory),
        error => failure("lock", directory, error.into()),
    })?;
    let files = std::fs::read_dir(directory).map_err(|error| failure("list", directory, error))?;
    for path in files.flatten().map(|file| file.path()) {
        if path.extension().is_some_and(|extension| extension == "generating") {
            std::fs::remove_file(&path).map_err(|error| failure("remove", &path, error))?;
        }
    }
    flock(file, FlockOperation::Unlock).map_err(|error| failure("unlock", directory, error.into()))
}

fn locked(directory: &Path) -> StoreError {
    StoreError::Locked {
        directory: directory.to_owned(),
        holder: None,
    }
}

/// Whose fault an error of sled's is.
fn blame(doing: &'static str, directory: &Path, error: ::sled::Error) -> StoreError {
    match error {
        ::sled::Error::Io(error) if error.to_string().contains("could not acquire lock") => locked(directory),
        ::sled::Error::Io(error) => failure(doing, directory, error),
        ::sled::Error::Corruption { at, .. } => StoreError::Damaged {
            file: directory.join("db"),
            offset: None,
            what: at.map_or_else(|| "sled does not say where".to_owned(), |at| format!("at sled's {at}")),
        },
        ::sled::Error::CollectionNotFound(_) | ::sled::Error::Unsupported(_) | ::sled::Error::ReportableBug(_) => {
            StoreError::Failed {
                doing,
                file: directory.to_owned(),
                error: io::Error::other(error),
            }
        }
    }
}
