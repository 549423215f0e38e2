//! A backup: every record of a store as it was at one instant, in one file that no engine has a say in.
//!
//! ```text
//! file      head, blocks one behind the other, trailer, end
//! head      magic 8, version u32, id u64, made at u64, store time u64, number u64, checksum u32
//! block     magic 4, payload length u32, sequence u64, checksum of the payload u32, checksum of this head u32,
//!           payload: records as a journal keeps them, each of them put, in the order of tables and keys
//! trailer   magic 4, blocks u64, records u64, payload bytes u64, checksum u32
//! ```
//!
//! Numbers are little-endian, checksums are CRC-32C. That of the head seeds all others, and `id` is drawn for each
//! backup, so that a block of another backup does not pass. Sequences begin with 1 and leave none out; a file without
//! its trailer was cut.

mod encoder;
mod format;
mod reader;
mod restore;
mod walk;

pub use encoder::BackupEncoder;
pub use reader::BackupReader;
pub use restore::{CheckedBackup, check_backup, pour, restore};
pub use walk::{FrozenWalk, StoredRecord};

use crate::Stamp;

/// What a backup says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupHead {
    /// When it was made, by the clock of the system, in milliseconds since 1970.
    pub made_at_ms: u64,
    /// The stamp of the store at the instant that the backup holds.
    pub stamp: Stamp,
}

/// What a backup holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupTotals {
    /// Blocks.
    pub blocks: u64,
    /// Records.
    pub records: u64,
    /// Bytes of the records with their keys.
    pub bytes: u64,
}

#[cfg(test)]
pub(crate) mod tests;
