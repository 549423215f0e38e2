//! Root's rights are given up as soon as they are not needed any more: for good, with all groups.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown, lchown};
use std::path::Path;

use nix::unistd::{Gid, Group, Uid, User, geteuid, getuid, initgroups, setgid, setgroups, setuid};
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::failure::Failure;

mod directory;

pub(crate) use directory::nearest;

/// Whether whoever this process is may follow the link that a path may be: root follows none but root's, for another could
/// lead to any file of root's.
fn is_followed(path: &Path) -> bool {
    !geteuid().is_root() || path.symlink_metadata().is_ok_and(|found| found.uid() == 0)
}

/// Opens a file in a directory that may belong to somebody else.
///
/// # Errors
///
/// The system refuses it, or root would follow a link of somebody else's.
pub(crate) fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    if is_followed(path) {
        return options.open(path);
    }
    let opened = options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path);
    opened.map_err(|error| match error.raw_os_error() {
        Some(number) if number == Errno::LOOP.raw_os_error() => {
            io::Error::other("it is a link that is not root's; name the file itself, or give the link to root")
        }
        _ => error,
    })
}

/// Whom the process is to become.
#[derive(Debug)]
pub(crate) struct Account {
    uid: Uid,
    gid: Gid,
    /// For the groups of the user; `None`: a number without a name.
    name: Option<std::ffi::CString>,
}

impl Account {
    /// Looks the account up; `None`: the process stays who it is.
    ///
    /// # Errors
    ///
    /// The system does not know it.
    pub(crate) fn find(conf: &conf::Daemon) -> Result<Option<Self>, Failure> {
        if conf.user.is_empty() && conf.group.is_empty() {
            return Ok(None);
        }
        let unknown = |key: &str, name: &str| {
            Failure::Usage(format!(
                "`daemon.{key}` is \"{name}\", which this system does not know; make it (adduser --system) or name another"
            ))
        };
        let (mut uid, mut gid, mut name) = (getuid(), None, None);
        if !conf.user.is_empty() {
            let user = match conf.user.parse() {
                Ok(number) => User::from_uid(Uid::from_raw(number)),
                Err(_) => User::from_name(&conf.user),
            };
            match (user, conf.user.parse().map(Uid::from_raw)) {
                (Ok(Some(user)), _) => {
                    (uid, gid) = (user.uid, Some(user.gid));
                    name = std::ffi::CString::new(user.name).ok();
                }
                (_, Ok(number)) => uid = number,
                (_, Err(_)) => return Err(unknown("user", &conf.user)),
            }
        }
        if !conf.group.is_empty() {
            let group = Group::from_name(&conf.group).ok().flatten().map(|group| group.gid);
            let number = conf.group.parse().ok().map(Gid::from_raw);
            gid = Some(group.or(number).ok_or_else(|| unknown("group", &conf.group))?);
        }
        let gid = gid.unwrap_or_else(nix::unistd::getgid);
        Ok(Some(Self { uid, gid, name }))
    }

    /// As whom a broker with these settings runs, as far as it shows: the user of `daemon.user`, or whose the data directory
    /// is. `None`: as whoever starts it, or as root.
    ///
    /// # Errors
    ///
    /// As [`Account::find`].
    pub(crate) fn of_broker(conf: &conf::Configuration) -> Result<Option<Self>, Failure> {
        if let Some(account) = Self::find(&conf.daemon)? {
            return Ok(Some(account));
        }
        let Ok(directory) = std::fs::metadata(&conf.storage.directory) else {
            return Ok(None);
        };
        let account = Self::of_ids(directory.uid(), directory.gid());
        let user = User::from_uid(account.uid).ok().flatten();
        let gid = user.map_or(account.gid, |user| user.gid);
        Ok((!account.is_root()).then_some(Self { gid, ..account }))
    }

    /// What people call the user.
    pub(crate) fn name(&self) -> String {
        let name = self.name.as_ref().and_then(|name| name.to_str().ok());
        name.map_or_else(|| self.uid.to_string(), str::to_owned)
    }

    /// The numbers of the user and of the group.
    pub(crate) fn ids(&self) -> (u32, u32) {
        (self.uid.as_raw(), self.gid.as_raw())
    }

    /// The account of these numbers, which may have no name.
    pub(crate) fn of_ids(uid: u32, gid: u32) -> Self {
        let uid = Uid::from_raw(uid);
        let user = User::from_uid(uid).ok().flatten();
        Self {
            uid,
            gid: Gid::from_raw(gid),
            name: user.and_then(|user| std::ffi::CString::new(user.name).ok()),
        }
    }

    /// Whether it is root, whose files another user's broker cannot read.
    pub(crate) fn is_root(&self) -> bool {
        self.uid.is_root()
    }

    /// Makes a data directory for the account, unless it is there. Those above it that are missing are made as well, open
    /// to everybody, so that the account reaches its own. Only root gives directories away: for others nothing happens.
    ///
    /// # Errors
    ///
    /// The system refuses it, or somebody else changes the place meanwhile.
    pub(crate) fn give_directory(&self, directory: &Path) -> Result<(), Failure> {
        if !geteuid().is_root() || directory.exists() {
            return Ok(());
        }
        directory::make(directory, self.ids()).map_err(Failure::io(format!("make {}", directory.display())))
    }

    /// Becomes the account. The files that are there only for the broker are given to it before.
    ///
    /// # Errors
    ///
    /// The process may not, or could go back.
    pub(crate) fn assume(&self, own: &[&Path]) -> Result<(), Failure> {
        if !geteuid().is_root() {
            return if getuid() == self.uid {
                Ok(())
            } else {
                Err(Failure::Usage(
                    "only root can become the user of `daemon.user`; start as root, or take the setting out".to_owned(),
                ))
            };
        }
        let failed = |error: std::io::Error| Failure::io(format!("become user {}", self.name()))(error);
        let (uid, gid) = (self.uid.as_raw(), self.gid.as_raw());
        for path in own.iter().filter(|path| path.exists()) {
            let give = if is_followed(path) { chown } else { lchown };
            give(path, Some(uid), Some(gid)).map_err(failed)?;
        }
        match &self.name {
            Some(name) => initgroups(name, self.gid),
            None => setgroups(&[self.gid]),
        }
        .and_then(|()| setgid(self.gid))
        .and_then(|()| setuid(self.uid))
        .map_err(|error| failed(error.into()))?;
        if !self.uid.is_root() && setuid(Uid::from_raw(0)).is_ok() {
            return Err(failed(std::io::Error::other("root's rights came back")));
        }
        Ok(())
    }
}
