//! From a backup to a data directory.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _};
use std::path::{Path, PathBuf};

use super::{BackupHead, BackupReader, BackupTotals};
use crate::record::META;
use crate::shelf::failure;
use crate::shelf::open_engine;
use crate::{Batch, DataDirectory, Durability, FileMedium, Shard, ShardOptions, Slice, Store, StoreError};

const READ_BYTES: usize = 256 << 10;
/// What a new file system has in its first directory.
const TOLERATED: &str = "lost+found";

/// A backup that was read to its end and is whole. It stays open, so that what may not open it can restore it.
#[derive(Debug)]
pub struct CheckedBackup {
    file: File,
    path: PathBuf,
    head: BackupHead,
    totals: BackupTotals,
}

impl CheckedBackup {
    /// Reads a backup to its end.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] names what and where; [`StoreError::Version`]; what the medium says.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(|error| failure("open", path, error))?;
        let mut reader = reader(&file, path)?;
        let mut batch = Batch::default();
        while reader.next(&mut batch)? {}
        let (head, totals) = (reader.head(), reader.totals());
        Ok(Self {
            path: path.to_owned(),
            file,
            head,
            totals,
        })
    }

    /// What it says of itself, and how much is in it.
    #[must_use]
    pub fn content(&self) -> (BackupHead, BackupTotals) {
        (self.head, self.totals)
    }

    /// Makes a data directory with that engine out of it.
    ///
    /// The directory may be missing or empty. Until it is whole and on the medium, nothing opens it: what an attempt that
    /// failed has left is to be removed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`] if the directory is not empty; what the medium says.
    pub fn restore(&self, directory: &Path, engine: &str) -> Result<(BackupHead, BackupTotals), StoreError> {
        expect_empty(directory)?;
        let mut directory = DataDirectory::open(directory, engine)?;
        directory.hold_back()?;
        let options = ShardOptions::new(open_engine(engine, &directory.shelf(), None)?);
        let medium = Box::new(FileMedium::new(directory.journal()));
        let (mut shard, _) = Shard::open_on(medium, options, false)?;
        let mut reader = reader(&self.file, &self.path)?;
        pour(&mut reader, &mut shard)?;
        drop(shard);
        directory.seal()?;
        Ok((reader.head(), reader.totals()))
    }
}

/// Reads a backup to its end, as [`CheckedBackup::open`] does.
///
/// # Errors
///
/// As that.
pub fn check_backup(file: &Path) -> Result<(BackupHead, BackupTotals), StoreError> {
    CheckedBackup::open(file).map(|backup| backup.content())
}

/// Makes a data directory with that engine out of a backup, which is checked to its end first.
///
/// # Errors
///
/// As [`CheckedBackup::open`] and [`CheckedBackup::restore`].
pub fn restore(file: &Path, directory: &Path, engine: &str) -> Result<(BackupHead, BackupTotals), StoreError> {
    CheckedBackup::open(file)?.restore(directory, engine)
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

/// Reads the file from its beginning.
fn reader<'a>(mut file: &'a File, path: &Path) -> Result<BackupReader<BufReader<&'a File>>, StoreError> {
    file.rewind().map_err(|error| failure("read", path, error))?;
    BackupReader::new(BufReader::with_capacity(READ_BYTES, file), path)
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
