//! From a backup to a data directory.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::{BackupHead, BackupReader, BackupTotals};
use crate::record::META;
use crate::shelf::failure;
use crate::shelf::open_engine;
use crate::{Batch, DataDirectory, Durability, FileMedium, Shard, ShardOptions, Slice, Store, StoreError};

const READ_BYTES: usize = 256 << 10;
/// What a new file system has in its first directory.
const TOLERATED: &str = "lost+found";

/// Reads a backup to its end.
///
/// # Errors
///
/// [`StoreError::Damaged`] names what and where; [`StoreError::Version`]; what the medium says.
pub fn check_backup(file: &Path) -> Result<(BackupHead, BackupTotals), StoreError> {
    let mut reader = open(file)?;
    let mut batch = Batch::default();
    while reader.next(&mut batch)? {}
    Ok((reader.head(), reader.totals()))
}

/// Makes a data directory with that engine out of a backup, which is checked to its end first.
///
/// The directory may be missing or empty. Until it is whole and on the medium, nothing opens it: what an attempt that
/// failed has left is to be removed.
///
/// # Errors
///
/// As [`check_backup`]; [`StoreError::Failed`] if the directory is not empty; what the medium says.
pub fn restore(file: &Path, directory: &Path, engine: &str) -> Result<(BackupHead, BackupTotals), StoreError> {
    check_backup(file)?;
    expect_empty(directory)?;
    let mut directory = DataDirectory::open(directory, engine)?;
    directory.hold_back()?;
    let options = ShardOptions::new(open_engine(engine, &directory.shelf(), None)?);
    let medium = Box::new(FileMedium::new(directory.journal()));
    let (mut shard, _) = Shard::open_on(medium, options, false)?;
    let mut reader = open(file)?;
    pour(&mut reader, &mut shard)?;
    drop(shard);
    directory.seal()?;
    Ok((reader.head(), reader.totals()))
}

/// Puts all records of a backup into a shard, raises its stamp to that of the backup, and commits.
///
/// # Errors
///
/// As [`BackupReader::next`] and [`Store::apply`]; the shard then holds a part.
pub fn pour<R: Read>(reader: &mut BackupReader<R>, shard: &mut Shard) -> Result<(), StoreError> {
    shard.raise_stamp(reader.head().stamp);
    let mut batch = Batch::default();
    // A backup without records has a stamp, too, and a stamp is written with a change.
    batch.remove(META, b"restored");
    shard.apply(&batch)?;
    while reader.next(&mut batch)? {
        shard.apply(&batch)?;
        shard.commit(Durability::Process)?;
        while shard.settle(Slice::default())? {}
        shard.maintain()?;
    }
    shard.commit(Durability::Power)
}

fn open(file: &Path) -> Result<BackupReader<BufReader<File>>, StoreError> {
    let input = File::open(file).map_err(|error| failure("open", file, error))?;
    BackupReader::new(BufReader::with_capacity(READ_BYTES, input), file)
}

fn expect_empty(directory: &Path) -> Result<(), StoreError> {
    let refused = |error| StoreError::Failed {
        doing: "restore into",
        file: directory.to_owned(),
        error,
    };
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refused(error)),
    };
    for entry in entries {
        if entry.map_err(refused)?.file_name() != TOLERATED {
            let what = "it is not empty; name a directory that is, or that does not exist";
            return Err(refused(io::Error::new(io::ErrorKind::DirectoryNotEmpty, what)));
        }
    }
    Ok(())
}
