//! Whether a start could make the files that it makes.

use std::io;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::pid_file;
use super::privileges::nearest;
use crate::failure::Failure;
use crate::log;

/// Finds out whether this user could make the data directory, the pid file and the log, or use those that are there. Nothing
/// is made.
///
/// # Errors
///
/// The first that could not be made, with its setting.
pub(crate) fn check(conf: &conf::Configuration) -> Result<(), Failure> {
    if super::store(&conf.storage).is_some() {
        let directory = &conf.storage.directory;
        let doing = format!("write into {} (storage.directory)", directory.display());
        beneath(directory).map_err(Failure::io(doing))?;
    }
    pid_file::check(&conf.daemon.pid_file)?;
    log::file::check(&conf.log.file)
}

/// Whether this user may make files in a directory, or the directory itself.
fn beneath(directory: &Path) -> io::Result<()> {
    let directory = std::path::absolute(directory)?;
    let nearest = nearest(&directory);
    may_write_in(nearest).map_err(|error| {
        if nearest == directory {
            return error;
        }
        let above = nearest.display();
        io::Error::new(
            error.kind(),
            format!("it is missing, and cannot be made in {above}: {error}"),
        )
    })
}

/// Whether this user may make the file.
///
/// # Errors
///
/// Why not: its directory is missing, or is not for this user to write in.
pub(crate) fn new_file(file: &Path) -> io::Result<()> {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    may_write_in(directory.unwrap_or(Path::new(".")))
}

fn may_write_in(directory: &Path) -> io::Result<()> {
    if !std::fs::metadata(directory)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Ok(accessat(
        CWD,
        directory,
        Access::WRITE_OK | Access::EXEC_OK,
        AtFlags::EACCESS,
    )?)
}
