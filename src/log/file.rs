//! The file of the log, which others may move away: it is opened anew when they say so.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::daemon::{privileges, writable};
use crate::failure::Failure;

/// What the file may be read by, besides its owner: its group.
const MODE: u32 = 0o640;

/// The file of this process, for [`reopen`].
static FILE: OnceLock<LogFile> = OnceLock::new();

/// Writes whole records at the end of the file that has the name at this moment.
#[derive(Debug, Clone)]
pub(crate) struct LogFile {
    path: PathBuf,
    file: Arc<RwLock<Arc<File>>>,
}

/// Opens the file, and makes it if it is missing.
///
/// # Errors
///
/// The system refuses it.
pub(crate) fn open(path: &str) -> Result<impl Fn() -> LogFile + Send + Sync + 'static, Failure> {
    let path = PathBuf::from(path);
    let file = append(&path).map_err(Failure::io(format!("write the log to {} (log.file)", path.display())))?;
    let log = LogFile {
        path,
        file: Arc::new(RwLock::new(Arc::new(file))),
    };
    let log = FILE.get_or_init(|| log).clone();
    Ok(move || log.clone())
}

/// Whether [`open`] would succeed, as far as that shows without a file that is made.
///
/// # Errors
///
/// The system refuses it.
pub(crate) fn check(path: &str) -> Result<(), Failure> {
    let path = Path::new(path);
    // A pipe without a reader would not open before it has one.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let looked = match OpenOptions::new().append(true).custom_flags(flags).open(path) {
        Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) && is_pipe(path) => Ok(()),
        Err(_) if path.as_os_str().is_empty() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => writable::new_file(path),
        opened => opened.map(drop),
    };
    looked.map_err(Failure::io(format!("write the log to {} (log.file)", path.display())))
}

fn is_pipe(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo())
}

/// Goes on in a file with the same name, which may be another one. Without a file, nothing happens.
pub(crate) fn reopen() {
    let Some(log) = FILE.get() else { return };
    match append(&log.path) {
        Ok(file) => {
            *log.file.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(file);
            tracing::info!(file = %log.path.display(), "the log goes on in this file");
        }
        // It is told in the file before.
        Err(error) => tracing::error!(file = %log.path.display(), %error, "the log cannot be opened anew"),
    }
}

fn append(path: &Path) -> io::Result<File> {
    privileges::open(OpenOptions::new().append(true).create(true).mode(MODE), path)
}

impl Write for LogFile {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        let file = Arc::clone(&self.file.read().unwrap_or_else(PoisonError::into_inner));
        (&*file).write(record).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                super::count_dropped();
            }
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_pipe_that_nobody_reads_keeps_no_check() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("log");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || tell.send(check(pipe.to_str().unwrap()).is_ok()));
        assert_eq!(told.recv_timeout(Duration::from_secs(20)), Ok(true));
    }
}
