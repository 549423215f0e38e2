//! A store whose promises are kept by a journal and whose bulk lies in an engine.
//!
//! ```text
//!   apply --> open block --commit--> journal (segment files)
//!     |                                 | replayed when opened
//!     +-----> overlay (in memory) <-----+
//!                |  settle: what is still alive of the oldest segment, in slices
//!                v
//!             shelf (an engine) --synced--> the segment is removed
//! ```
//!
//! An engine costs ten times what the journal does per change, and most messages are gone before they are old: those
//! never reach it. Every record of the journal says what to put or to remove and nothing relative, so that it may be
//! replayed over an engine that has already seen some of it.
//!
//! A segment is removed when the engine has synced what it held and the journal has synced what replaced the rest.

mod scan;
mod settle;

use std::path::Path;

use bytes::Bytes;

use crate::batch::Place;
use crate::journal::format::{BLOCK_HEAD_BYTES, Stamp};
use crate::journal::medium::{FileMedium, Medium};
use crate::journal::{Journal, JournalOptions, Recovery, Room};
use crate::overlay::{Known, Overlay};
use crate::{Batch, DataDirectory, Durability, ScanLimit, Store, StoreError, Table};
use settle::Settling;
pub use settle::Slice;

/// The largest batch, in bytes of its records.
const BATCH_BYTES_MAX: usize = 1 << 30;
/// Steps of settling that a batch waits for when the overlay is over its bound. Some of a segment's steps move nothing.
const STEPS_MAX: usize = 8;
/// The same at twice the bound, where it would be refused.
const LAST_STEPS_MAX: usize = 64;

/// How a shard uses memory and the medium.
pub struct ShardOptions {
    /// Where the bulk goes. After it failed, [`Shard::replace_engine`] gives another.
    pub engine: Box<dyn Store>,
    /// Which shard of its journal's directory this is.
    pub shard: u32,
    /// Size of a segment of the journal; a batch that is larger gets one of its size.
    pub segment_bytes: u64,
    /// Size of the journal, the spare segment included, from which on its oldest segment is settled; a quarter of it if
    /// seven eighths of what the journal has are gone.
    pub journal_bytes_max: u64,
    /// Memory for the changes that the engine does not have yet.
    pub overlay_bytes_max: usize,
    /// What the file system should have left; with less, [`Shard::room`] is [`Room::Low`].
    pub free_bytes_min: u64,
    /// What one call of [`Store::maintain`] moves.
    pub slice: Slice,
}

impl ShardOptions {
    /// The usual sizes: segments of 8 MiB, 128 MiB of journal and of memory, 16 MiB left free.
    #[must_use]
    pub fn new(engine: Box<dyn Store>) -> Self {
        Self {
            engine,
            shard: 0,
            segment_bytes: 8 << 20,
            journal_bytes_max: 128 << 20,
            overlay_bytes_max: 128 << 20,
            free_bytes_min: 16 << 20,
            slice: Slice::default(),
        }
    }
}

/// A journal, an overlay, and an engine behind them.
pub struct Shard {
    /// The engine is closed before the directory is unlocked, which is why this stands first.
    engine: Box<dyn Store>,
    journal: Journal,
    overlay: Overlay,
    settling: Settling,
    /// Whether the engine took nothing the last time.
    engine_fails: bool,
    /// What a slice of settling gives the engine.
    batch: Batch,
    limits: Limits,
    directory: Option<DataDirectory>,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    journal_bytes_max: u64,
    overlay_bytes_max: usize,
    slice: Slice,
}

impl Shard {
    /// Opens the journal in a data directory, and keeps the directory locked.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] or [`StoreError::Version`], which change nothing; what the medium says.
    pub fn open(mut directory: DataDirectory, options: ShardOptions) -> Result<(Self, Recovery), StoreError> {
        let medium = Box::new(FileMedium::new(directory.journal()));
        let (mut shard, recovery) = Self::open_on(medium, options, !directory.is_new())?;
        directory.seal()?;
        shard.directory = Some(directory);
        Ok((shard, recovery))
    }

    /// Opens the journal on a medium. `exists` says that there has to be one.
    ///
    /// # Errors
    ///
    /// As [`Shard::open`].
    pub fn open_on(
        medium: Box<dyn Medium>,
        options: ShardOptions,
        exists: bool,
    ) -> Result<(Self, Recovery), StoreError> {
        let mut overlay = Overlay::new(1);
        let journal_options = JournalOptions {
            shard: options.shard,
            segment_bytes: options.segment_bytes,
            free_bytes_min: options.free_bytes_min,
        };
        let (journal, recovery) = Journal::open(medium, journal_options, exists, &mut |head, block| {
            overlay.replay(head.sequence, block);
            Ok(())
        })?;
        let shard = Self {
            engine: options.engine,
            journal,
            overlay,
            settling: Settling::default(),
            engine_fails: false,
            batch: Batch::default(),
            limits: Limits {
                journal_bytes_max: options.journal_bytes_max,
                overlay_bytes_max: options.overlay_bytes_max,
                slice: options.slice,
            },
            directory: None,
        };
        Ok((shard, recovery))
    }

    /// The data directory, if it was opened on one.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_ref().map(DataDirectory::path)
    }

    /// Raises the time and the number that the following commits record. Neither goes back.
    pub fn raise_stamp(&mut self, stamp: Stamp) {
        self.journal.raise_stamp(stamp);
    }

    /// The highest stamp so far, that of earlier runs included.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.journal.stamp()
    }

    /// Whether there is room for new things: on the medium, and in memory if the engine takes nothing. It is looked at
    /// in [`Store::maintain`].
    #[must_use]
    pub fn room(&self) -> Room {
        let is_filling = self.overlay.bytes() > self.limits.overlay_bytes_max / 8 * 7;
        match self.engine_fails && is_filling {
            true => Room::Low,
            false => self.journal.room(),
        }
    }

    /// Whether the journal has failed, after which nothing is taken until the shard is opened again. An engine that
    /// fails does not end the shard.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.journal.check().is_err()
    }

    /// Bytes of memory of what the engine does not have yet.
    #[must_use]
    pub fn overlay_bytes(&self) -> usize {
        self.overlay.bytes()
    }

    /// Changes that the engine does not have yet.
    #[must_use]
    pub fn overlay_entries(&self) -> usize {
        self.overlay.len()
    }

    /// Bytes of the journal's files.
    #[must_use]
    pub fn journal_bytes(&self) -> u64 {
        self.journal.bytes()
    }

    /// Closes the engine and opens it again, after it has failed. The journal has what the engine may have lost.
    ///
    /// # Errors
    ///
    /// What `open` says; the shard then reads only what it has in memory and can be asked again.
    pub fn replace_engine(
        &mut self,
        open: impl FnOnce() -> Result<Box<dyn Store>, StoreError>,
    ) -> Result<(), StoreError> {
        // Two of one engine cannot have its directory open.
        self.engine = Box::new(settle::Absent);
        self.settling.restart();
        self.engine = open()?;
        Ok(())
    }

    /// Holds this instant for [`Shard::scan_frozen`] while batches go on being applied. What they change stays in
    /// memory until [`Shard::thaw`]. False if the last freeze is not over: [`Store::maintain`] ends it after the thaw.
    #[must_use]
    pub fn freeze(&mut self) -> bool {
        let is_frozen = self.overlay.freeze();
        if is_frozen {
            self.settling.restart();
        }
        is_frozen
    }

    /// Lets go of the instant that was held.
    pub fn thaw(&mut self) {
        self.overlay.thaw();
    }

    /// Entries of a table behind a key, as they were at [`Shard::freeze`].
    ///
    /// # Errors
    ///
    /// The engine failed or holds something damaged; nothing is frozen.
    pub fn scan_frozen(
        &self,
        table: Table,
        after: Option<&[u8]>,
        limit: ScanLimit,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        if !self.overlay.is_frozen() {
            return Err(StoreError::Failed {
                doing: "read what is frozen of",
                file: self.directory().unwrap_or(Path::new("the shard")).to_owned(),
                error: std::io::Error::other("nothing is frozen"),
            });
        }
        scan::merged(self, table, &[], after, limit, scan::View::Frozen)
    }

    /// Writes the open block if it has records.
    fn flush(&mut self) -> Result<(), StoreError> {
        if let Some(block) = self.overlay.open_block() {
            self.journal.write(block)?;
            self.overlay.seal();
        }
        Ok(())
    }

    /// Writes the open block even if it is empty.
    fn flush_always(&mut self) -> Result<(), StoreError> {
        self.fit(0)?;
        self.journal.write(self.overlay.open_block_or_empty())?;
        self.overlay.seal();
        Ok(())
    }

    /// Makes sure that so many bytes can be added to the open block and written.
    fn fit(&mut self, bytes: usize) -> Result<(), StoreError> {
        let wanted = self.overlay.open_bytes().saturating_add(bytes);
        if self.journal.fits(wanted) && wanted <= BATCH_BYTES_MAX + BLOCK_HEAD_BYTES {
            return Ok(());
        }
        self.flush()?;
        let wanted = self.overlay.open_bytes().saturating_add(bytes);
        if self.journal.fits(wanted) {
            return Ok(());
        }
        self.journal.roll(wanted)
    }

    /// Lets a batch wait for the engine, a few slices long, when too much lies before it.
    fn make_room(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let max = self.limits.overlay_bytes_max;
        if self.overlay.bytes() <= max && self.journal.bytes() / 2 <= self.limits.journal_bytes_max {
            return Ok(());
        }
        let slice = self.limits.slice.at_least(batch.len() * 2, batch.bytes() * 2);
        let mut settled = Ok(true);
        for step in 0..LAST_STEPS_MAX {
            settled = self.settle(slice);
            let enough = if step < STEPS_MAX { max } else { max.saturating_mul(2) };
            if !matches!(settled, Ok(true)) || self.overlay.bytes() <= enough {
                break;
            }
        }
        self.journal.check()?;
        let bytes = self.overlay.bytes();
        let why = match settled {
            _ if bytes <= max => return Ok(()),
            Err(error) => format!("and the engine takes nothing: {error}"),
            Ok(_) if bytes / 2 <= max => return Ok(()),
            Ok(_) if self.overlay.is_frozen() => "while a backup holds the engine".to_owned(),
            Ok(_) => "and the engine is too slow".to_owned(),
        };
        // What only removes is what makes room.
        if !batch.puts() && bytes / 4 <= max {
            return Ok(());
        }
        let what = format!("changes that wait for the engine take {bytes} bytes of memory, {max} allowed, {why}");
        Err(StoreError::Full { what })
    }
}

impl Store for Shard {
    fn apply(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.journal.check()?;
        batch.check()?;
        if batch.is_empty() {
            return Ok(());
        }
        if batch.bytes() > BATCH_BYTES_MAX {
            let what = format!("a batch of {} bytes, {BATCH_BYTES_MAX} at most", batch.bytes());
            return Err(StoreError::Full { what });
        }
        self.make_room(batch)?;
        self.fit(batch.bytes())?;
        self.overlay.apply(batch);
        Ok(())
    }

    fn commit(&mut self, durability: Durability) -> Result<(), StoreError> {
        self.journal.check()?;
        match durability {
            Durability::Memory => Ok(()),
            Durability::Process => self.flush(),
            Durability::Power => {
                self.flush()?;
                self.journal.sync()
            }
        }
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        match self.overlay.get(&Place::new(table, key)) {
            Known::Value(value) => Ok(Some(value)),
            Known::Removed => Ok(None),
            Known::Nothing => self.engine.get(table, key),
        }
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: ScanLimit,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        scan::merged(self, table, prefix, after, limit, scan::View::Present)
    }

    /// Makes the spare segment, settles a slice, or lets the engine do a slice of its own.
    ///
    /// An error of the engine's leaves everything as it was; [`Shard::has_failed`] tells it from one of the journal's.
    fn maintain(&mut self) -> Result<bool, StoreError> {
        self.journal.prepare()?;
        if self.settle(self.limits.slice)? {
            return Ok(true);
        }
        self.engine.maintain()
    }

    fn disk_bytes(&self) -> Result<u64, StoreError> {
        Ok(self.journal.bytes() + self.engine.disk_bytes()?)
    }
}
