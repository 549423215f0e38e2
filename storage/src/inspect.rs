//! Looking into a data directory without changing what it holds.
//!
//! The journal is read and never written: a torn tail stays where it is. An engine cannot be opened without writing:
//! fjall and sled put their own files in order when they start. So the engine is opened as a broker would open it, under
//! the lock of the directory, and no record is changed.

mod check;
mod entries;
mod items;
mod links;
mod spectator;
mod stat;
mod transfers;

pub use check::{CheckReport, Finding, JournalReport, TableCount, check};
pub use items::{EntryState, Item};
pub use stat::{QueueStat, Stat};

use std::io;
use std::path::Path;

use crate::shelf::open_engine;
use spectator::Spectator;

use crate::{DataDirectory, Format, Recovery, Shard, ShardOptions, StoreError};

/// A data directory that is looked into. It is locked meanwhile.
pub struct Inspection {
    shard: Shard,
    format: Format,
    recovery: Recovery,
    /// Unlocked last.
    directory: DataDirectory,
}

impl Inspection {
    /// Locks a directory that holds a store, and reads its journal.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] while a broker has it; [`StoreError::Failed`] if it holds no store; what is damaged or of
    /// an unknown version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let (format, directory) = lock(path)?;
        let options = ShardOptions::new(open_engine(&format.engine, &directory.find_shelf()?, None)?);
        let (shard, recovery) = Shard::open_on(Box::new(Spectator::new(&directory)), options, true)?;
        Ok(Self {
            shard,
            format,
            recovery,
            directory,
        })
    }

    /// What the directory says of itself.
    #[must_use]
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// The store, for reading. Nothing is to be applied to it: no journal would keep it.
    pub fn shard_mut(&mut self) -> &mut Shard {
        &mut self.shard
    }
}

impl std::fmt::Debug for Inspection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inspection")
            .field("directory", &self.directory)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

/// Locks a directory that holds a store, and says what it is. Makes nothing.
fn lock(path: &Path) -> Result<(Format, DataDirectory), StoreError> {
    let Some(format) = Format::read(path)? else {
        return Err(StoreError::Failed {
            doing: "read",
            file: path.to_owned(),
            error: io::Error::new(
                io::ErrorKind::NotFound,
                "it holds no store; name the data directory of a broker with --data-dir",
            ),
        });
    };
    let directory = DataDirectory::open(path, &format.engine)?;
    Ok((format, directory))
}

#[cfg(test)]
mod tests;
