//! Directories that root makes where others may write. It goes down from descriptor to descriptor, and follows no link that
//! somebody puts in the way meanwhile.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use rustix::fs::{Dir, Gid, Mode, OFlags, Uid, fchmod, fchown, fstat, fsync, mkdirat, open, openat};
use rustix::process::geteuid;

/// Rights of the directory.
const MODE: u32 = 0o750;
/// Rights of those above it.
const ABOVE_MODE: u32 = 0o755;

/// Makes a directory that is missing for a user and a group, with those above it that are missing, and puts their names on
/// the medium. Those above stay root's, and are open to everybody.
///
/// # Errors
///
/// What the system says; what was made is not what is there.
pub(super) fn make(path: &Path, owner: (u32, u32)) -> io::Result<()> {
    let path = std::path::absolute(path)?;
    let nearest = nearest(&path);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut above = open(nearest, flags, Mode::empty())?;
    let mut missing = path.strip_prefix(nearest).unwrap_or(&path).components().peekable();
    while let Some(component) = missing.next() {
        let Component::Normal(name) = component else {
            let what = "`..` leads out of a directory that is missing; name the place without it";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        };
        above = make_in(&above, name, missing.peek().is_none().then_some(owner))?;
    }
    Ok(())
}

/// The place itself, or the nearest directory above it that is there; of an absolute path.
pub(crate) fn nearest(path: &Path) -> &Path {
    let there = path.ancestors().find(|above| above.exists());
    there.unwrap_or(Path::new("/"))
}

/// Makes one, and opens it.
fn make_in(above: &OwnedFd, name: &OsStr, owner: Option<(u32, u32)>) -> io::Result<OwnedFd> {
    mkdirat(above, name, Mode::RWXU)?;
    let made = open_made(above, name)?;
    match owner {
        Some((uid, gid)) => {
            fchmod(&made, Mode::from_raw_mode(MODE))?;
            fchown(&made, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        // Whatever the umask says.
        None => fchmod(&made, Mode::from_raw_mode(ABOVE_MODE))?,
    }
    fsync(above)?;
    Ok(made)
}

/// Opens a directory that this process has just made. Who may write above it could have put a link in its place, or
/// another directory of root's.
fn open_made(above: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = openat(above, name, flags, Mode::empty())?;
    let mut is_empty = true;
    for entry in Dir::read_from(&made)? {
        is_empty &= matches!(entry?.file_name().to_bytes(), b"." | b"..");
    }
    if is_empty && fstat(&made)?.st_uid == geteuid().as_raw() {
        return Ok(made);
    }
    let what = format!("somebody put something else in the place of {}", name.display());
    Err(io::Error::other(what))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    #[test]
    fn those_above_are_open_to_everybody_and_the_last_is_its_owners() {
        let scrap = tempfile::tempdir().unwrap();
        let own = (geteuid().as_raw(), rustix::process::getegid().as_raw());
        let owner = if own.0 == 0 { (4_321, 4_322) } else { own };
        make(&scrap.path().join("a/b/c"), owner).unwrap();
        let seen = |path: &str| {
            let found = fs::metadata(scrap.path().join(path)).unwrap();
            (found.uid(), found.mode() & 0o7777)
        };
        assert_eq!([seen("a"), seen("a/b")], [(own.0, 0o755); 2]);
        assert_eq!(seen("a/b/c"), (owner.0, 0o750));
        let refused = make(&scrap.path().join("missing/../d"), owner).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn what_was_put_in_the_place_of_a_directory_is_not_taken_for_it() {
        let scrap = tempfile::tempdir().unwrap();
        let above: OwnedFd = fs::File::open(scrap.path()).unwrap().into();
        let full = scrap.path().join("full");
        fs::create_dir_all(full.join("inner")).unwrap();
        symlink(full.join("inner"), scrap.path().join("link")).unwrap();
        fs::create_dir(scrap.path().join("empty")).unwrap();
        let opened = |name: &str| open_made(&above, OsStr::new(name)).is_ok();
        assert_eq!(["empty", "full", "link"].map(opened), [true, false, false]);
        if geteuid().is_root() {
            std::os::unix::fs::chown(scrap.path().join("empty"), Some(4_321), None).unwrap();
            assert!(!opened("empty"), "it is another's");
        }
    }
}
