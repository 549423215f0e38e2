//! The pid file: who runs, and that nobody else does. The lock lasts as long as the process, also when another binary
//! takes over in it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::{FdFlags, fcntl_setfd};

use super::{privileges, takeover, writable};
use crate::failure::Failure;

const MODE: u32 = 0o644;

/// Whether [`PidFile::lock`] would find or make its file. Who has the lock is not looked at.
///
/// # Errors
///
/// The system refuses it.
pub(super) fn check(path: &str) -> Result<(), Failure> {
    let failed = |error| Failure::io(format!("open the pid file {path} (daemon.pid_file)"))(error);
    if path.is_empty() || takeover::has_pid_file(&std::path::absolute(path).map_err(failed)?) {
        return Ok(());
    }
    match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => writable::new_file(Path::new(path)).map_err(failed),
        opened => opened.map(drop).map_err(failed),
    }
}

/// The pid file of this process. It is removed when this is dropped, unless another binary takes over.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
    /// `None`: the binary before has opened it, and it stays open.
    file: Option<File>,
}

impl PidFile {
    /// Takes the lock, before anything else is done; `None`: there is to be no pid file.
    ///
    /// # Errors
    ///
    /// Another process has it, or the file cannot be written.
    pub(crate) fn lock(path: &str) -> Result<Option<Self>, Failure> {
        if path.is_empty() {
            return Ok(None);
        }
        // The process may change its directory.
        let path = std::path::absolute(path).map_err(Failure::io(format!("find the pid file {path}")))?;
        if takeover::has_pid_file(&path) {
            return Ok(Some(Self { path, file: None }));
        }
        let failed = |error| Failure::io(format!("open the pid file {} (daemon.pid_file)", path.display()))(error);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(MODE);
        let mut file = privileges::open(&mut options, &path).map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { path, file: Some(file) })),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut pid = String::new();
                let read = file.read_to_string(&mut pid).is_ok() && !pid.trim().is_empty();
                Err(Failure::Running {
                    pid_file: path.display().to_string(),
                    pid: if read {
                        pid.trim().to_owned()
                    } else {
                        "unknown".to_owned()
                    },
                })
            }
            Err(error) => Err(failed(error.into())),
        }
    }

    /// Writes the number of this process.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub(crate) fn write(&self) -> Result<(), Failure> {
        let Some(mut file) = self.file.as_ref() else {
            return Ok(());
        };
        let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(Failure::io(format!("write the pid file {}", self.path.display())))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The number of its descriptor.
    pub(crate) fn descriptor(&self) -> Option<RawFd> {
        self.file.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// Leaves file and lock to the binary that takes over.
    ///
    /// # Errors
    ///
    /// The system does not let us.
    pub(crate) fn leave(&self) -> io::Result<()> {
        match &self.file {
            Some(file) => Ok(fcntl_setfd(file, FdFlags::empty())?),
            None => Ok(()),
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let pid = fs::read_to_string(&self.path).unwrap_or_default();
        if pid.trim() == std::process::id().to_string()
            && let Err(error) = fs::remove_file(&self.path)
        {
            // The directory may be root's; an empty file that nobody has locked stands in nobody's way.
            tracing::debug!(file = %self.path.display(), %error, "the pid file stays, and is emptied");
            let _ = OpenOptions::new().write(true).truncate(true).open(&self.path);
        }
    }
}
