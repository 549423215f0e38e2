//! Merging the tree's tables, so that reads stay cheap and the space of what was removed comes back.
//!
//! Levels alone give no space back in the end: a removal is small, and as long as its level is not full it stays
//! above the large value that it hides. So when a third of all entries are removals, which then hide half of the rest,
//! everything is merged into the last level, where both vanish. Every record pays for that about once.

use std::collections::HashSet;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use ::fjall::{AbstractTree, Database, Error, Keyspace};

use super::background::Background;

/// Table files of commits that may lie side by side before they are merged.
pub(super) const FRESH_FILES_MAX: u8 = 4;
/// Bytes of a merged table file.
pub(super) const FILE_BYTES: u64 = 4 << 20;
/// Fewer removals than this are not worth a merge.
const REMOVALS_MIN: u64 = 10_000;
/// One removal in so many entries is.
const ENTRIES_PER_REMOVAL: u64 = 3;
/// The thread that merges, while there is something to merge.
#[derive(Debug, Default)]
pub(super) struct Compaction {
    work: Option<Background>,
    /// A write that failed may have left a file that belongs to nothing.
    has_remains: bool,
}

impl Compaction {
    /// Starts to merge if that is due; says whether the thread is at work, for whose end it waits so long at most.
    ///
    /// No other thread may be writing tables.
    pub(super) fn maintain(&mut self, database: &Database, entries: &Keyspace, wait: Duration) -> Result<bool, Error> {
        if let Some(work) = &mut self.work {
            let Some(outcome) = work.outcome(Some(wait)) else {
                return Ok(true);
            };
            self.work = None;
            self.has_remains |= outcome.is_err();
            outcome?;
        }
        if self.has_remains {
            remove_remains(database, entries)?;
            self.has_remains = false;
        }
        if !is_due(entries) {
            return Ok(false);
        }
        let (database, entries) = (database.clone(), entries.clone());
        self.work = Some(Background::start("fjall-compaction", move || {
            merge(&database, &entries)
        })?);
        Ok(true)
    }

    /// Has the next [`Compaction::maintain`] look for files that belong to nothing.
    pub(super) fn leave_remains(&mut self) {
        self.has_remains = true;
    }
}

fn merge(database: &Database, entries: &Keyspace) -> Result<(), Error> {
    let tree = &entries.tree;
    let strategy = Arc::new(super::leveled());
    loop {
        let before = tree.current_version().id();
        tree.compact(strategy.clone(), database.visible_seqno())?;
        release_old_versions(database, entries)?;
        if tree.current_version().id() == before {
            break;
        }
    }
    if is_mostly_removed(entries) {
        tree.major_compact(FILE_BYTES, database.visible_seqno())?;
        release_old_versions(database, entries)?;
    }
    Ok(())
}

fn is_due(entries: &Keyspace) -> bool {
    let fresh = entries.tree.level_table_count(0).unwrap_or_default();
    fresh >= usize::from(FRESH_FILES_MAX) || is_mostly_removed(entries)
}

fn is_mostly_removed(entries: &Keyspace) -> bool {
    let removals = entries.tree.tombstone_count();
    let all = u64::try_from(entries.approximate_len()).unwrap_or(u64::MAX);
    removals >= REMOVALS_MIN && removals.saturating_mul(ENTRIES_PER_REMOVAL) >= all
}

/// Lets go of the versions of the tree before the current one, and with them of files that were merged.
///
/// The tree does so only when it next changes, which may be never.
pub(super) fn release_old_versions(database: &Database, entries: &Keyspace) -> Result<(), Error> {
    let mut versions = entries.tree.get_version_history_lock();
    Ok(versions.maintenance(entries.path(), database.visible_seqno())?)
}

/// Removes table files that no version knows: what a write on a full disk had come to.
fn remove_remains(database: &Database, entries: &Keyspace) -> Result<(), Error> {
    release_old_versions(database, entries)?;
    let version = entries.tree.current_version();
    let known: HashSet<u64> = version.iter_tables().map(|table| table.id()).collect();
    for file in fs::read_dir(entries.path().join("tables"))? {
        let file = file?;
        let id = file.file_name().to_str().and_then(|name| name.parse().ok());
        if id.is_some_and(|id: u64| !known.contains(&id)) {
            fs::remove_file(file.path())?;
        }
    }
    Ok(())
}
