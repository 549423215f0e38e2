//! To whom files belong that a command makes for a broker. Root works on behalf of the broker's user: what root makes here
//! is that user's to read.

use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::Path;

use nix::unistd::geteuid;

use crate::daemon::privileges::{Account, nearest};
use crate::failure::Failure;

/// Rights of a new file, for whoever it belongs to.
const OWNER: u32 = 0o600;
/// Besides, where its directory is there for its group and nobody else.
const GROUP: u32 = 0o040;

/// Gives a file that takes another's place the owner, the group and the rights of that one. Without another, root's file
/// goes to the owner and the group of its directory, and the group reads it if the directory is open to the group alone:
/// in a directory `root:strowger` of mode 2750 it is `root:strowger`, 0640. So it does in a directory of root's that is there
/// for another group than root's and for others. Others keep what they make to themselves. Returns whether root alone reads a
/// file that was made.
///
/// # Errors
///
/// The system refuses it: only root gives files away.
pub(super) fn settle(new: &File, old: Option<&File>, directory: &File) -> io::Result<bool> {
    if let Some(old) = old {
        let old = old.metadata()?;
        give(new, &old, OWNER | old.mode() & 0o777)?;
        return Ok(false);
    }
    if !geteuid().is_root() {
        return Ok(false);
    }
    let directory = directory.metadata()?;
    let (is_for_group, is_for_others) = (directory.mode() & 0o050 == 0o050, directory.mode() & 0o007 != 0);
    // What is root's own is for somebody else, if anybody: the broker's user is among the group.
    let is_groups = is_for_group && (!is_for_others || directory.uid() == 0 && directory.gid() != 0);
    give(new, &directory, if is_groups { OWNER | GROUP } else { OWNER })?;
    Ok(directory.uid() == 0 && (!is_groups || directory.gid() == 0))
}

fn give(new: &File, like: &Metadata, mode: u32) -> io::Result<()> {
    let made = new.metadata()?;
    if (like.uid(), like.gid()) != (made.uid(), made.gid()) {
        fchown(new, Some(like.uid()), Some(like.gid()))?;
    }
    new.set_permissions(Permissions::from_mode(mode))
}

/// The directory that a file is in.
pub(super) fn directory_of(file: &Path) -> &Path {
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty());
    directory.unwrap_or(Path::new("."))
}

/// As whom root is to fill a data directory: whose it is; if it is missing, the user of `daemon.user`, or whose the nearest
/// directory above it is. `None`: the command is not root's, and works as whoever gives it.
///
/// # Errors
///
/// The system does not know that user, or says nothing of the directory.
pub(super) fn account_of_data(directory: &Path, daemon: &conf::Daemon) -> Result<Option<Account>, Failure> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    if !directory.exists()
        && let Some(account) = Account::find(daemon)?
    {
        return Ok(Some(account));
    }
    let unknown = |error| Failure::io(format!("find out to whom {} belongs", directory.display()))(error);
    let absolute = std::path::absolute(directory).map_err(unknown)?;
    let nearest = fs::metadata(nearest(&absolute)).map_err(unknown)?;
    Ok(Some(Account::of_ids(nearest.uid(), nearest.gid())))
}
