//! The Unix socket for operators of this machine.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Its owner alone may open it.
const MODE: u32 = 0o600;
/// The longest path that a socket can have, in bytes.
const PATH_BYTES_MAX: usize = 107;

/// Listens under another name until the mode is right, and takes the place of what a broker that is gone has left.
pub(super) fn listen(socket: &Path) -> io::Result<UnixListener> {
    let mut draft = socket.as_os_str().to_owned();
    draft.push(".new");
    let bytes = draft.len();
    if bytes > PATH_BYTES_MAX {
        let what = format!("its path has {bytes} bytes with the \".new\" of its making, {PATH_BYTES_MAX} at most");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    let draft = PathBuf::from(draft);
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&draft)?;
    fs::set_permissions(&draft, Permissions::from_mode(MODE))?;
    fs::rename(&draft, socket)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
