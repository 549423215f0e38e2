//! A file that takes another's place when it is whole.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;
use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};

use crate::command::ownership;
use crate::failure::Failure;

/// The file that is to be, and the one whose place it takes. While it is there, nobody else changes that one.
///
/// Root may work in a directory of somebody else's, who could put links in the way at any moment. All is done by descriptors,
/// therefore, and what is read is what gives owner and rights.
#[derive(Debug)]
pub(super) struct Replacement {
    of: PathBuf,
    name: OsString,
    directory: File,
    old: Option<File>,
    new: File,
    new_name: OsString,
    is_finished: bool,
}

impl Replacement {
    /// Makes the file that is to be; `command` is what may be at work on the same one. A link stays a link: what it leads to
    /// is replaced.
    ///
    /// # Errors
    ///
    /// The system refuses it; a link that root cannot trust.
    pub(super) fn begin(given: &Path, command: &str) -> Result<Self, Failure> {
        let of = follow(given).map_err(Failure::io(format!("follow the link {}", given.display())))?;
        let reading = || Failure::io(format!("read {}", of.display()));
        let name = of.file_name().map(OsStr::to_owned);
        let name = name.ok_or_else(|| reading()(io::ErrorKind::IsADirectory.into()))?;
        let mut new_name = name.clone();
        new_name.push(".new");
        let doing = format!(
            "create {} (if no other strowger {command} is at work, one was interrupted: remove it)",
            of.with_file_name(&new_name).display()
        );
        let made = File::open(ownership::directory_of(&of)).and_then(|directory| {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let new = openat(&directory, &new_name, flags, Mode::RUSR | Mode::WUSR)?;
            Ok((directory, File::from(new)))
        });
        let (directory, new) = made.map_err(Failure::io(doing))?;
        let mut replacement = Self {
            name,
            directory,
            old: None,
            new,
            new_name,
            is_finished: false,
            of: of.clone(),
        };
        replacement.old = replacement.open_old().map_err(reading())?;
        Ok(replacement)
    }

    /// Opens the file whose place is taken; `None`: there is none.
    fn open_old(&self) -> io::Result<Option<File>> {
        // A pipe is not waited for.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match openat(&self.directory, &self.name, flags, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(rustix::io::Errno::LOOP) => Err(io::Error::other("it is a link that leads nowhere")),
            Err(error) => Err(error.into()),
            Ok(old) => {
                let old = File::from(old);
                let is_file = old.metadata()?.is_file();
                is_file.then_some(Some(old)).ok_or(io::Error::other("it is no file"))
            }
        }
    }

    /// What is in the file whose place is taken; `None`: there is none.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is no text.
    pub(super) fn old(&self) -> Result<Option<String>, Failure> {
        let Some(mut old) = self.old.as_ref() else {
            return Ok(None);
        };
        let mut text = String::new();
        let read = old.read_to_string(&mut text);
        read.map_err(Failure::io(format!("read {}", self.of.display())))?;
        Ok(Some(text))
    }

    /// Writes the text to the disk, then gives it the name. Returns whether root alone reads a file that was not there.
    ///
    /// # Errors
    ///
    /// The system refuses it; the other file stays.
    pub(super) fn finish(mut self, text: &str) -> Result<bool, Failure> {
        let doing = format!("write {}", self.of.display());
        let is_for_root_alone = self.replace(text).map_err(Failure::io(doing))?;
        self.is_finished = true;
        Ok(is_for_root_alone)
    }

    fn replace(&mut self, text: &str) -> io::Result<bool> {
        self.new.write_all(text.as_bytes())?;
        let is_for_root_alone = ownership::settle(&self.new, self.old.as_ref(), &self.directory)?;
        self.new.sync_all()?;
        renameat(&self.directory, &self.new_name, &self.directory, &self.name)?;
        // A name is on the disk when its directory is.
        self.directory.sync_all()?;
        Ok(is_for_root_alone)
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.is_finished {
            // What cannot be removed is named by the next attempt.
            let _ = unlinkat(&self.directory, &self.new_name, AtFlags::empty());
        }
    }
}

/// What the path leads to. Root follows no link of somebody else's to a file that is not that one's as well.
fn follow(given: &Path) -> io::Result<PathBuf> {
    let Ok(link) = fs::symlink_metadata(given) else {
        return Ok(given.to_owned());
    };
    let Ok(file) = fs::canonicalize(given) else {
        return Ok(given.to_owned());
    };
    if link.is_symlink() && geteuid().is_root() && link.uid() != 0 && link.uid() != fs::metadata(&file)?.uid() {
        let what = format!(
            "it belongs to user {}, and leads to {}, which does not; name that file if it is meant",
            link.uid(),
            file.display()
        );
        return Err(io::Error::other(what));
    }
    Ok(file)
}
