//! The directory of a broker's data.
//!
//! ```text
//! strowger-data/       0700
//!   lock               held by the process that uses the directory, with its number in it
//!   FORMAT             what wrote it: version of the layout, engine
//!   journal/           segments
//!   shelf-<engine>/    the engine's own files
//! ```
//!
//! FORMAT is written when all the rest is there. While it is missing the directory is new, however much of it an
//! earlier attempt has left; once it is there, a journal that is missing is damage.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::StoreError;

const VERSION: u32 = 1;
const LOCK: &str = "lock";
const FORMAT: &str = "FORMAT";
const JOURNAL: &str = "journal";
const TITLE: &str = "Strowger store";
/// What FORMAT says while a backup is being restored.
const UNFINISHED: &str = "Strowger store, being restored";

/// What FORMAT says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// Version of the layout.
    pub version: u32,
    /// Name of the engine.
    pub engine: String,
}

impl Format {
    /// Reads what a directory says of itself, as a broker with this engine would that opens it.
    ///
    /// # Errors
    ///
    /// As [`Format::read`], and [`StoreError::Engine`].
    pub fn of_engine(directory: &Path, engine: &str) -> Result<Option<Self>, StoreError> {
        let format = Self::read(directory)?;
        match &format {
            Some(found) if found.engine != engine => Err(StoreError::Engine {
                directory: directory.to_owned(),
                found: found.engine.clone(),
                asked: engine.to_owned(),
            }),
            Some(_) | None => Ok(format),
        }
    }

    /// Reads what a directory says of itself, without locking it; none if it is new.
    ///
    /// # Errors
    ///
    /// [`StoreError::Version`], [`StoreError::Damaged`], or what the system says.
    pub fn read(directory: &Path) -> Result<Option<Self>, StoreError> {
        let file = directory.join(FORMAT);
        let text = match std::fs::read(&file) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &file, error)),
        };
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let is_titled = text.lines().next() == Some(TITLE);
        if text.lines().next() == Some(UNFINISHED) {
            return Err(StoreError::Damaged {
                file,
                offset: None,
                what: "a restore into this directory was not finished".to_owned(),
            });
        }
        let version = field("version").and_then(|version| version.parse().ok());
        match (version, field("engine")) {
            (Some(found), _) if is_titled && found != VERSION => Err(StoreError::Version {
                file,
                found,
                known: VERSION,
            }),
            (Some(version), Some(engine)) if is_titled => Ok(Some(Self {
                version,
                engine: engine.to_owned(),
            })),
            (Some(_) | None, _) => Err(StoreError::Damaged {
                file,
                offset: None,
                what: "it does not say what wrote it".to_owned(),
            }),
        }
    }
}

/// A data directory that this process has to itself while the value lives.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    engine: String,
    is_new: bool,
    /// Unlocked when it is closed.
    _lock: File,
}

impl DataDirectory {
    /// Makes the directory if it is missing, and locks it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`], [`StoreError::Engine`], [`StoreError::Version`], [`StoreError::Damaged`], or what the
    /// system says.
    pub fn open(path: &Path, engine: &str) -> Result<Self, StoreError> {
        let path = std::path::absolute(path).map_err(|error| failed("find", path, error))?;
        make(&path)?;
        let lock = lock(&path)?;
        let format = Format::of_engine(&path, engine)?;
        let directory = Self {
            is_new: format.is_none(),
            engine: engine.to_owned(),
            _lock: lock,
            path,
        };
        if directory.is_new {
            make(&directory.journal())?;
            make(&directory.shelf())?;
        }
        Ok(directory)
    }

    /// Where it is, from the root.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of the journal.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.path.join(JOURNAL)
    }

    /// The directory of the engine's own files.
    #[must_use]
    pub fn shelf(&self) -> PathBuf {
        self.path.join(format!("shelf-{}", self.engine))
    }

    /// The directory of the engine's own files, which is there unless the data directory is new: an engine would make
    /// one that is missing, and nothing in it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if it is missing.
    pub fn find_shelf(&self) -> Result<PathBuf, StoreError> {
        let shelf = self.shelf();
        if self.is_new || shelf.is_dir() {
            return Ok(shelf);
        }
        Err(StoreError::Damaged {
            file: shelf,
            offset: None,
            what: "the directory of the engine is missing".to_owned(),
        })
    }

    /// Whether nothing was ever promised in it.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Writes FORMAT, once journal and engine are there.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn seal(&mut self) -> Result<(), StoreError> {
        if !self.is_new {
            return Ok(());
        }
        self.write_format(&format!("{TITLE}\nversion: {VERSION}\nengine: {}\n", self.engine))?;
        self.is_new = false;
        Ok(())
    }

    /// Keeps everyone from opening what will be here until [`DataDirectory::seal`] says that it is whole.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn hold_back(&self) -> Result<(), StoreError> {
        self.write_format(&format!("{UNFINISHED}\n"))
    }

    fn write_format(&self, text: &str) -> Result<(), StoreError> {
        let file = self.path.join(FORMAT);
        let draft = self.path.join("FORMAT.draft");
        let write = || {
            let mut out = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&draft)?;
            out.write_all(text.as_bytes())?;
            out.sync_all()?;
            std::fs::rename(&draft, &file)?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(|error| failed("write", &file, error))
    }
}

/// Makes a directory with those above it that are missing, and puts each on the medium.
fn make(path: &Path) -> Result<(), StoreError> {
    let missing: Vec<&Path> = path.ancestors().take_while(|path| !path.is_dir()).collect();
    for path in missing.into_iter().rev() {
        DirBuilder::new()
            .mode(0o700)
            .create(path)
            .map_err(|error| failed("make the directory", path, error))?;
        if let Some(parent) = path.parent() {
            let synced = File::open(parent).and_then(|parent| parent.sync_all());
            synced.map_err(|error| failed("sync", parent, error))?;
        }
    }
    Ok(())
}

fn lock(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join(LOCK);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options
        .open(&path)
        .map_err(|error| failed("open for writing", &path, error))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            let mut holder = String::new();
            // Without a number the message is poorer, no more.
            let _ = file.read_to_string(&mut holder);
            return Err(StoreError::Locked {
                directory: directory.to_owned(),
                holder: holder.trim().parse().ok(),
            });
        }
        Err(error) => return Err(failed("lock", &path, error.into())),
    }
    // The lock is what counts: a full disk must not keep a broker from starting for want of a number.
    let _ = file
        .set_len(0)
        .and_then(|()| file.write_all(format!("{}\n", std::process::id()).as_bytes()));
    Ok(file)
}

fn failed(doing: &'static str, file: &Path, error: io::Error) -> StoreError {
    let kind = error.kind();
    let error = if kind == io::ErrorKind::ReadOnlyFilesystem {
        io::Error::new(
            kind,
            format!("{error}; mount it for writing, or choose another directory"),
        )
    } else if kind == io::ErrorKind::PermissionDenied {
        let remedy = "give it to the user that runs this program, or choose another directory";
        io::Error::new(kind, format!("{error}; {remedy}"))
    } else {
        error
    };
    StoreError::Failed {
        doing,
        file: file.to_owned(),
        error,
    }
}
