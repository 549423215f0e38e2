//! Bans that operators make while the broker runs. They stand in a file of their own, so that nobody's file is written
//! to, and hold from the next CONNECT on.

use std::fs;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Ban, Banned, Bans, instant, line, unix_secs};
use crate::{Credentials, OpenError, source};

/// Bans of operators at once.
const BANS_MAX: usize = 100_000;
/// Longest file of them.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// A ban that could not be made or lifted. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// There are as many as may be.
    #[error("there are {BANS_MAX} bans, which is the most; lift some, or ban a network")]
    Full,
    /// The file cannot be written.
    #[error("cannot write {}: {error}; see that there is room and that the broker's user may write there", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// A ban of an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveBan {
    /// Whom it keeps outside, and until when.
    pub ban: Ban,
    /// Since when, in seconds of Unix time.
    pub since_unix_secs: u64,
    /// The operator.
    pub by: String,
    /// Why, in one line.
    pub reason: Option<String>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Live {
    /// `None`: they end with the broker.
    file: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bans: Vec<LiveBan>,
    table: Bans,
}

impl Live {
    /// Reads the file, if there is one.
    ///
    /// # Errors
    ///
    /// It cannot be read, or a line of it is none.
    pub(crate) async fn open(file: Option<&Path>) -> Result<Self, OpenError> {
        let mut state = State::default();
        if let Some(file) = file.filter(|file| file.exists()) {
            let text = source::text(file, FILE_BYTES_MAX).await?;
            let mut about = "";
            for (number, line) in text.lines().enumerate() {
                if let Some(comment) = line.strip_prefix("# ") {
                    about = comment;
                } else if !line.is_empty() {
                    let ban = line::parse(line).map_err(|flaw| flaw.at(file, number + 1))?;
                    state.bans.push(LiveBan::of(ban, std::mem::take(&mut about)));
                }
            }
        }
        state.rebuild();
        Ok(Self {
            file: file.map(Path::to_owned),
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is in there is put in whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether any hold at all: the question that spares the others.
    fn table<T>(&self, ask: impl FnOnce(&Bans) -> T) -> T {
        ask(&self.state().table)
    }

    pub(crate) fn hold(&self, who: &Credentials) -> bool {
        self.table(|bans| bans.hold(who))
    }

    pub(crate) fn hold_client(&self, client_id: &str, address: Option<IpAddr>) -> bool {
        self.table(|bans| bans.hold_client(client_id, address))
    }

    pub(crate) fn hold_user(&self, name: &str) -> bool {
        self.table(|bans| bans.hold_user(name))
    }

    /// Those that have not ended.
    pub(crate) fn all(&self) -> Vec<LiveBan> {
        let now = unix_secs();
        let state = self.state();
        let bans = state.bans.iter().filter(|live| !live.ban.has_ended(now));
        bans.cloned().collect()
    }

    /// Bans someone for so many seconds from this one on, or for good; takes the place of a ban on the same. Names and
    /// reasons have no line ends.
    pub(crate) fn add(
        &self,
        whom: Banned,
        secs: Option<u64>,
        by: &str,
        reason: Option<&str>,
    ) -> Result<LiveBan, LiveError> {
        let since_unix_secs = unix_secs();
        let until_unix_secs = secs.map(|secs| since_unix_secs.saturating_add(secs));
        let live = LiveBan {
            ban: Ban { whom, until_unix_secs },
            since_unix_secs,
            by: by.to_owned(),
            reason: reason.filter(|reason| !reason.is_empty()).map(str::to_owned),
        };
        self.change(|bans| {
            bans.retain(|other| other.ban.whom != live.ban.whom);
            if bans.len() >= BANS_MAX {
                return Err(LiveError::Full);
            }
            bans.push(live.clone());
            Ok(())
        })?;
        Ok(live)
    }

    pub(crate) fn lift(&self, whom: &Banned) -> Result<(), LiveError> {
        self.change(|bans| {
            bans.retain(|live| live.ban.whom != *whom);
            Ok(())
        })
    }

    /// Changes a copy, writes it, and puts it in the place of what was there.
    fn change(&self, edit: impl FnOnce(&mut Vec<LiveBan>) -> Result<(), LiveError>) -> Result<(), LiveError> {
        let mut state = self.state();
        let now = unix_secs();
        let mut bans: Vec<LiveBan> = state.bans.clone();
        bans.retain(|live| !live.ban.has_ended(now));
        edit(&mut bans)?;
        if let Some(file) = &self.file {
            let failed = |error| LiveError::File {
                file: file.clone(),
                error,
            };
            write(file, &bans).map_err(failed)?;
        }
        state.bans = bans;
        state.rebuild();
        Ok(())
    }
}

impl LiveBan {
    /// With the comment that stands above it: since when, by whom, why.
    fn of(ban: Ban, about: &str) -> Self {
        let mut words = about.splitn(3, ' ');
        let since = words.next().and_then(instant::parse);
        let by = words.next().unwrap_or_default().to_owned();
        Self {
            ban,
            since_unix_secs: since.unwrap_or(0),
            by,
            reason: words.next().map(str::to_owned),
        }
    }
}

impl State {
    fn rebuild(&mut self) {
        self.table = Bans::default();
        for live in &self.bans {
            self.table.add(live.ban.clone());
        }
    }
}

impl Ban {
    fn has_ended(&self, now: u64) -> bool {
        self.until_unix_secs.is_some_and(|until| until <= now)
    }
}

/// The file takes its place when it is whole and on the disk.
fn write(file: &Path, bans: &[LiveBan]) -> io::Result<()> {
    let mut draft = file.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let mut text = String::new();
    for LiveBan {
        ban,
        since_unix_secs,
        by,
        reason,
    } in bans
    {
        let since = instant::format(*since_unix_secs).unwrap_or_default();
        let reason = reason.as_ref().map_or_else(String::new, |reason| format!(" {reason}"));
        text.push_str(&format!("# {since} {by}{reason}\n"));
        let (what, whom) = match &ban.whom {
            Banned::Client(id) => ("client", id.clone()),
            Banned::User(name) => ("user", name.clone()),
            Banned::Address(network) => ("address", network.to_string()),
        };
        let until = ban.until_unix_secs.and_then(instant::format);
        let until = until.map_or_else(String::new, |until| format!(" until {until}"));
        text.push_str(&format!("{what} \"{whom}\"{until}\n"));
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut handle = options.open(&draft)?;
    handle.write_all(text.as_bytes())?;
    handle.sync_all()?;
    fs::rename(&draft, file)?;
    match file.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        Some(directory) => fs::File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
