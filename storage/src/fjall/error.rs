//! Whose fault an error of fjall's is.

use std::io;
use std::path::Path;

use ::fjall::{Error, LsmError};

use crate::{StoreError, shelf};

/// The version of fjall's format that this program reads and writes.
const VERSION_KNOWN: u32 = 3;

/// fjall does not say in which file it met damage, so the directory stands for it.
pub(super) fn failure(doing: &'static str, directory: &Path, error: Error) -> StoreError {
    let damaged = |what: String| StoreError::Damaged {
        file: directory.to_owned(),
        offset: None,
        what,
    };
    match error {
        Error::Io(error) | Error::Storage(LsmError::Io(error)) => shelf::failure(doing, directory, error),
        Error::Storage(LsmError::ChecksumMismatch { .. }) => damaged("a block differs from its checksum".to_owned()),
        Error::Storage(LsmError::InvalidVersion(found)) => version(directory, u32::from(found)),
        Error::InvalidVersion(found) => match found {
            Some(found) => version(directory, u32::from(u8::from(found))),
            None => damaged("its version marker cannot be read".to_owned()),
        },
        Error::Locked => StoreError::Locked {
            directory: directory.to_owned(),
            holder: None,
        },
        Error::Poisoned | Error::KeyspaceDeleted => StoreError::Failed {
            doing,
            file: directory.to_owned(),
            error: io::Error::other(format!("{error:?}; the store has to be opened again")),
        },
        Error::Storage(error) => damaged(format!("{error:?}")),
        Error::JournalRecovery(_)
        | Error::Decompress(_)
        | Error::InvalidTrailer
        | Error::InvalidTag(_)
        | Error::Unrecoverable => damaged(format!("{error:?}")),
        _ => StoreError::Failed {
            doing,
            file: directory.to_owned(),
            error: io::Error::other(error),
        },
    }
}

fn version(directory: &Path, found: u32) -> StoreError {
    StoreError::Version {
        file: directory.to_owned(),
        found,
        known: VERSION_KNOWN,
    }
}
