//! What the engines on disk have in common: places in one order, files, and whose fault an error is.

use std::fs::{self, File};
use std::io;
use std::ops::Bound;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::{FjallOptions, FjallStore, SledOptions, SledStore, Store, StoreError, Table};

/// Unit of [`MetadataExt::blocks`], whatever the file system.
const BLOCK_BYTES: u64 = 512;
const DIRECTORY_MODE: u32 = 0o700;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Opens an engine, by its name, in its directory. `cache_bytes` bounds what it keeps of what it has read; `None`: what
/// the engine takes by itself.
///
/// # Errors
///
/// [`StoreError::Engine`] if no engine has that name; what the engine says.
pub fn open_engine(name: &str, shelf: &Path, cache_bytes: Option<u64>) -> Result<Box<dyn Store>, StoreError> {
    match name {
        "fjall" => {
            let mut options = FjallOptions::default();
            options.cache_bytes = cache_bytes.unwrap_or(options.cache_bytes);
            Ok(Box::new(FjallStore::open(shelf, options)?))
        }
        "sled" => {
            let mut options = SledOptions::default();
            options.cache_bytes = cache_bytes.unwrap_or(options.cache_bytes);
            Ok(Box::new(SledStore::open(shelf, options)?))
        }
        unknown => Err(StoreError::Engine {
            directory: shelf.to_owned(),
            found: unknown.to_owned(),
            asked: "fjall\" or \"sled".to_owned(),
        }),
    }
}

/// Refuses to go on with an engine that failed: nobody knows what it holds.
pub(crate) fn check(is_failed: bool, directory: &Path) -> Result<(), StoreError> {
    if !is_failed {
        return Ok(());
    }
    Err(StoreError::Failed {
        doing: "go on with",
        file: directory.to_owned(),
        error: io::Error::other("a write failed before; the store has to be opened again"),
    })
}

/// One part of the order of an engine: all places from a first one up to those that no longer belong to it.
pub(crate) type Range = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// A key under its table, so that one order serves all tables.
pub(crate) fn place(table: Table, key: &[u8]) -> Vec<u8> {
    let mut place = Vec::with_capacity(1 + key.len());
    place.push(table.0);
    place.extend_from_slice(key);
    place
}

/// The places of a table that begin with `prefix` and lie behind `after`; `None` if there can be none.
pub(crate) fn range(table: Table, prefix: &[u8], after: Option<&[u8]>) -> Option<Range> {
    let first = place(table, prefix);
    let end = successor(&first);
    let start = match after {
        Some(after) if after >= prefix => Bound::Excluded(place(table, after)),
        Some(_) | None => Bound::Included(first),
    };
    match (&start, &end) {
        (Bound::Excluded(start), Bound::Excluded(end)) if start >= end => None,
        _ => Some((start, end)),
    }
}

/// The first place behind all that begin with `prefix`.
fn successor(prefix: &[u8]) -> Bound<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Bound::Excluded(end);
        }
    }
    Bound::Unbounded
}

/// A bound without its own copy of the place.
pub(crate) fn borrowed(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(place) => Bound::Included(place),
        Bound::Excluded(place) => Bound::Excluded(place),
        Bound::Unbounded => Bound::Unbounded,
    }
}

/// Creates a directory that only its owner may enter, and makes it survive a power cut.
pub(crate) fn create_directory(directory: &Path) -> Result<(), StoreError> {
    let create = |error| failure("create", directory, error);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(DIRECTORY_MODE)
        .create(directory)
        .map_err(create)?;
    match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
        Some(_) | None => Ok(()),
    }
}

/// The directory within `directory` that an engine has to itself; if it is not there, `create` makes it, in one step.
///
/// Engines cannot open what they left when their process ended while they created it. So that happens under another
/// name, which is changed once everything is on the medium. Only one process may do so at a time.
pub(crate) fn engine_directory(
    directory: &Path,
    create: impl FnOnce(&Path) -> Result<(), StoreError>,
) -> Result<PathBuf, StoreError> {
    create_directory(directory)?;
    let whole = directory.join("engine");
    if whole.try_exists().map_err(|error| failure("look for", &whole, error))? {
        return Ok(whole);
    }
    let unfinished = directory.join("unfinished");
    match fs::remove_dir_all(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failure("remove", &unfinished, error)),
        Ok(()) | Err(_) => {}
    }
    create_directory(&unfinished)?;
    create(&unfinished)?;
    fs::rename(&unfinished, &whole).map_err(|error| failure("rename", &unfinished, error))?;
    sync_directory(directory)?;
    Ok(whole)
}

/// Makes the names in a directory survive a power cut.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    File::open(directory)
        .and_then(|handle| handle.sync_all())
        .map_err(|error| failure("sync", directory, error))
}

/// Bytes that the files below a directory take on the medium, without the holes in them.
pub(crate) fn allocated_bytes(directory: &Path) -> Result<u64, StoreError> {
    let mut bytes = 0;
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries = fs::read_dir(&directory).map_err(|error| failure("list", &directory, error))?;
        for entry in entries {
            let metadata = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)));
            match metadata {
                Ok((path, metadata)) if metadata.is_dir() => directories.push(path),
                Ok((_, metadata)) => bytes += metadata.blocks() * BLOCK_BYTES,
                // A compaction removes files while they are counted.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failure("list", &directory, error)),
            }
        }
    }
    Ok(bytes)
}

/// Who is to blame for an error of the system: a medium without room, a damaged file, or a medium that failed.
pub(crate) fn failure(doing: &'static str, file: &Path, error: io::Error) -> StoreError {
    if is_full(&error) {
        return StoreError::Full {
            what: format!("cannot {doing} {}: {error}; free space there", file.display()),
        };
    }
    let cut_short = [io::ErrorKind::UnexpectedEof, io::ErrorKind::InvalidData];
    if cut_short.contains(&error.kind()) {
        return StoreError::Damaged {
            file: file.to_owned(),
            offset: None,
            what: error.to_string(),
        };
    }
    StoreError::Failed {
        doing,
        file: file.to_owned(),
        error,
    }
}

/// Whether the medium, or the share of it that we may use, has no room.
fn is_full(error: &io::Error) -> bool {
    [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded].contains(&error.kind())
}

/// Opens an engine; tries that often to get its lock.
///
/// A store that was dropped a moment ago may still be held by a thread of its engine that ends, or by a process that
/// was just started and has not let go of our files yet. An engine that panics on damage is taken to have met some.
pub(crate) fn open<T>(
    directory: &Path,
    mut tries: u32,
    mut open: impl FnMut() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    loop {
        let opened = catch_unwind(AssertUnwindSafe(&mut open)).unwrap_or_else(|panic| {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(StoreError::Damaged {
                file: directory.to_owned(),
                offset: None,
                what: format!("the engine gave up: {}", said.unwrap_or("it did not say why")),
            })
        });
        tries = tries.saturating_sub(1);
        if tries == 0 || !matches!(opened, Err(StoreError::Locked { .. })) {
            return opened;
        }
        thread::sleep(LOCK_PAUSE);
    }
}
