//! How the oldest segment of the journal gets into the engine.
//!
//! ```text
//!            due                   all written           synced              all forgotten
//!   Idle ----------> Writing ------------> Committing ---------> Forgetting ------------> Marking
//!    ^                  ^                      | engine failed                               | block synced
//!    |                  +--- next due <--------+                                             v
//!    +-------------------------------------------------------------------------------- Removing
//! ```
//!
//! What is being written stays in the overlay until the engine has synced it: an engine that fails half-way is given
//! all of it again. A freeze or another engine begins anew.

use bytes::Bytes;

use super::Shard;
use crate::journal::Room;
use crate::overlay::{Budget, Cursor};
use crate::{Batch, Durability, ScanLimit, Store, StoreError, Table};

/// How much one slice of settling moves at most: it ends with the entry that reaches one of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Entries.
    pub entries: usize,
    /// Bytes of records.
    pub bytes: usize,
}

impl Default for Slice {
    fn default() -> Self {
        Self {
            entries: 512,
            bytes: 1 << 20,
        }
    }
}

impl Slice {
    pub(super) fn at_least(self, entries: usize, bytes: usize) -> Self {
        Self {
            entries: self.entries.max(entries),
            bytes: self.bytes.max(bytes),
        }
    }

    fn budget(self) -> Budget {
        Budget {
            entries: self.entries.max(1),
            bytes: self.bytes,
        }
    }
}

/// Where settling stands. `through` is the sequence of the last block that settles.
#[derive(Debug, Default)]
pub(super) enum Settling {
    #[default]
    Idle,
    Writing {
        through: u64,
        cursor: Cursor,
    },
    Committing {
        through: u64,
    },
    Forgetting {
        through: u64,
        cursor: Cursor,
    },
    Marking {
        through: u64,
    },
    Removing,
}

impl Settling {
    /// Begins anew, unless the engine has nothing more to do with it.
    pub(super) fn restart(&mut self) {
        match self {
            Self::Idle | Self::Marking { .. } | Self::Removing => {}
            Self::Writing { .. } | Self::Committing { .. } | Self::Forgetting { .. } => *self = Self::Idle,
        }
    }
}

impl Shard {
    /// Moves a slice of the oldest segment into the engine if the journal or the overlay is large, or ends a freeze,
    /// and says whether there is more to do at once.
    ///
    /// # Errors
    ///
    /// The engine failed, and nothing is lost: the next call tries again. Or the journal failed:
    /// [`Shard::has_failed`].
    pub fn settle(&mut self, slice: Slice) -> Result<bool, StoreError> {
        self.journal.check()?;
        let budget = slice.budget();
        if self.overlay.is_thawing() {
            self.overlay.merge(budget);
            return Ok(true);
        }
        let state = std::mem::take(&mut self.settling);
        let (state, outcome) = match state {
            Settling::Idle => match self.due() {
                Ok(Some(through)) => (
                    Settling::Writing {
                        through,
                        cursor: Cursor::default(),
                    },
                    Ok(()),
                ),
                Ok(None) => return Ok(false),
                Err(error) => (Settling::Idle, Err(error)),
            },
            Settling::Writing { through, cursor } => self.write_slice(through, cursor, budget),
            Settling::Committing { through } => self.commit_engine(through),
            Settling::Forgetting { through, cursor } => {
                let state = match self.overlay.forget(cursor, through, budget) {
                    Some(cursor) => Settling::Forgetting { through, cursor },
                    None => Settling::Marking { through },
                };
                (state, Ok(()))
            }
            Settling::Marking { through } => match self.mark(through) {
                Ok(()) => (Settling::Removing, Ok(())),
                Err(error) => (Settling::Marking { through }, Err(error)),
            },
            Settling::Removing => match self.journal.remove_settled() {
                Ok(()) => (Settling::Idle, Ok(())),
                Err(error) => (Settling::Removing, Err(error)),
            },
        };
        self.settling = state;
        outcome.map(|()| true)
    }

    /// The last block of the segment that has to settle, if one has.
    fn due(&mut self) -> Result<Option<u64>, StoreError> {
        let is_heavy = self.overlay.bytes() / 3 > self.limits.overlay_bytes_max / 4;
        let is_long = self.journal.bytes() > self.limits.journal_bytes_max;
        // Mostly of things that are gone: little has to move for its space.
        let is_slack = self.journal.bytes() > self.limits.journal_bytes_max / 4
            && self.overlay.value_bytes() as u64 <= self.journal.bytes() / 8;
        if !self.overlay.is_whole() || !(is_heavy || is_long || is_slack || self.journal.room() == Room::Low) {
            return Ok(None);
        }
        if self.journal.oldest_closed().is_none() && is_heavy && self.journal.is_current_used() {
            self.flush()?;
            self.journal.roll(self.overlay.open_bytes())?;
        }
        Ok(self.journal.oldest_closed())
    }

    fn commit_engine(&mut self, through: u64) -> (Settling, Result<(), StoreError>) {
        // What the engine writes beside this thread keeps nobody waiting.
        let committed = match self.engine.prepare_commit() {
            Ok(true) => return (Settling::Committing { through }, Ok(())),
            Ok(false) => self.engine.commit(Durability::Power),
            Err(error) => Err(error),
        };
        self.engine_fails = committed.is_err();
        let cursor = Cursor::default();
        match committed {
            Ok(()) => (Settling::Forgetting { through, cursor }, Ok(())),
            Err(error) => (Settling::Idle, Err(error)),
        }
    }

    fn write_slice(&mut self, through: u64, cursor: Cursor, budget: Budget) -> (Settling, Result<(), StoreError>) {
        self.batch.clear();
        let next = self.overlay.collect(cursor.clone(), through, budget, &mut self.batch);
        let written = match self.batch.is_empty() {
            true => Ok(()),
            false => self.engine.apply(&self.batch),
        };
        self.engine_fails = written.is_err();
        match (written, next) {
            (Ok(()), Some(cursor)) => (Settling::Writing { through, cursor }, Ok(())),
            (Ok(()), None) => (Settling::Committing { through }, Ok(())),
            (Err(error), _) => (Settling::Writing { through, cursor }, Err(error)),
        }
    }

    /// Records that the segments up to a block are not needed, and syncs all that replaced what was in them.
    fn mark(&mut self, through: u64) -> Result<(), StoreError> {
        self.journal.settle_through(through);
        self.flush_always()?;
        self.journal.sync()
    }
}

/// Stands in the place of an engine that is closed.
pub(super) struct Absent;

impl Absent {
    fn error() -> StoreError {
        StoreError::Failed {
            doing: "use",
            file: "the engine".into(),
            error: std::io::Error::other("it failed and is closed"),
        }
    }
}

impl Store for Absent {
    fn apply(&mut self, _: &Batch) -> Result<(), StoreError> {
        Err(Self::error())
    }

    fn commit(&mut self, _: Durability) -> Result<(), StoreError> {
        Err(Self::error())
    }

    fn get(&self, _: Table, _: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Err(Self::error())
    }

    fn scan(&self, _: Table, _: &[u8], _: Option<&[u8]>, _: ScanLimit) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        Err(Self::error())
    }

    fn maintain(&mut self) -> Result<bool, StoreError> {
        Err(Self::error())
    }

    fn disk_bytes(&self) -> Result<u64, StoreError> {
        Err(Self::error())
    }
}
