//! MQTT over a Unix socket: its file, and who may open it.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::settings::SocketFile;

/// The file of a socket that is listened on; it goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Bound {
    path: PathBuf,
    /// Device and number of the file: another broker may have put its own there meanwhile.
    identity: Option<(u64, u64)>,
}

impl Bound {
    /// The file of a socket that another binary has listened on in this process.
    pub(crate) fn adopt(file: &SocketFile) -> Self {
        Self {
            path: file.path.clone(),
            identity: identity_of(&file.path),
        }
    }

    /// Leaves the file to the binary that listens on the socket next.
    pub(crate) fn leave(mut self) {
        self.identity = None;
    }

    /// Takes the file from its place, so that nobody finds the socket.
    ///
    /// # Errors
    ///
    /// The directory does not let us.
    pub(crate) fn hide(&self) -> io::Result<()> {
        fs::rename(&self.path, self.hidden())
    }

    /// Puts the file back in its place.
    ///
    /// # Errors
    ///
    /// The directory does not let us, or another file stands there.
    pub(crate) fn show(&self) -> io::Result<()> {
        if fs::symlink_metadata(&self.path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        fs::rename(self.hidden(), &self.path)
    }

    fn hidden(&self) -> PathBuf {
        let mut hidden = self.path.clone().into_os_string();
        hidden.push(".drained");
        PathBuf::from(hidden)
    }
}

fn identity_of(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|now| (now.dev(), now.ino()))
}

impl Drop for Bound {
    fn drop(&mut self) {
        for path in [&self.path, &self.hidden()] {
            let is_ours = self.identity.is_some() && identity_of(path) == self.identity;
            if is_ours && let Err(error) = fs::remove_file(path) {
                tracing::warn!(path = %path.display(), %error, "cannot remove the socket's file");
            }
        }
    }
}

/// Finds out whether a socket can be listened on, and removes the file that a broker left that ended badly.
///
/// # Errors
///
/// Somebody listens there, or the path is another kind of file.
pub(crate) fn probe(file: &SocketFile) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(&file.path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        let what = "a file that is no socket stands there; move it away or choose another path";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    }
    match UnixStream::connect(&file.path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(&file.path),
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) => Err(error),
    }
}

/// Opens the socket.
///
/// The rights are set on a name beside it that nobody knows, so that it is never open to more than it is meant for.
///
/// # Errors
///
/// The path is in use or not allowed, or the owner cannot be set.
pub(crate) fn listen(file: &SocketFile) -> io::Result<(Bound, OwnedFd)> {
    probe(file)?;
    let mut beside = file.path.clone().into_os_string();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let listener = UnixListener::bind(&beside)?;
    let placed = chown(&beside, file.owner, file.group)
        .and_then(|()| fs::set_permissions(&beside, fs::Permissions::from_mode(file.mode)))
        .and_then(|()| fs::rename(&beside, &file.path));
    if let Err(error) = placed {
        fs::remove_file(&beside)?;
        return Err(error);
    }
    let bound = Bound::adopt(file);
    listener.set_nonblocking(true)?;
    Ok((bound, listener.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_has_its_rights_replaces_a_stale_one_and_is_removed() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = SocketFile {
            path: directory.path().join("s"),
            mode: 0o640,
            owner: None,
            group: None,
        };
        drop(UnixListener::bind(&file.path).expect("a stale socket"));
        let (bound, handle) = listen(&file).expect("listening");
        let mode = fs::metadata(&file.path).expect("the file").mode() & 0o7777;
        assert_eq!(mode, 0o640);
        assert_eq!(probe(&file).expect_err("in use").kind(), io::ErrorKind::AddrInUse);
        bound.hide().expect("hidden");
        assert!(UnixStream::connect(&file.path).is_err());
        bound.show().expect("in its place again");
        UnixStream::connect(&file.path).expect("somebody listens");
        bound.leave();
        let bound = Bound::adopt(&file);
        assert!(file.path.exists());
        bound.hide().expect("hidden");
        drop((bound, handle));
        assert_eq!(fs::read_dir(directory.path()).expect("the directory").count(), 0);
        fs::write(&file.path, "text").expect("a file");
        assert!(listen(&file).is_err() && file.path.exists());
    }
}
