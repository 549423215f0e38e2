//! Bans that operators make while the broker runs. They stand in a file of their own, so that nobody's file is written
//! to, and hold from the next CONNECT on.

use std::fs;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

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
    /// The change broke off.
    #[error("the change broke off: an error of the broker")]
    Broken,
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
    /// Swapped whole when it is on the disk: who asks whether a client may come in never waits for the disk.
    current: Arc<ArcSwap<State>>,
    /// Where they are kept; one change at a time. `None`: they end with the broker.
    file: Arc<Mutex<Option<PathBuf>>>,
}

#[derive(Debug)]
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
        let mut bans = Vec::new();
        if let Some(file) = file.filter(|file| file.exists()) {
            let text = source::text(file, FILE_BYTES_MAX).await?;
            let mut about = "";
            for (number, line) in text.lines().enumerate() {
                if let Some(comment) = line.strip_prefix("# ") {
                    about = comment;
                } else if !line.is_empty() {
                    let ban = line::parse(line).map_err(|flaw| flaw.at(file, number + 1))?;
                    bans.push(LiveBan::of(ban, std::mem::take(&mut about)));
                }
            }
        }
        Ok(Self {
            current: Arc::new(ArcSwap::from_pointee(State::of(bans))),
            file: Arc::new(Mutex::new(file.map(Path::to_owned))),
        })
    }

    pub(crate) fn hold(&self, who: &Credentials) -> bool {
        self.current.load().table.hold(who)
    }

    pub(crate) fn hold_client(&self, client_id: &str, address: Option<IpAddr>) -> bool {
        self.current.load().table.hold_client(client_id, address)
    }

    pub(crate) fn hold_user(&self, name: &str) -> bool {
        self.current.load().table.hold_user(name)
    }

    /// Those that have not ended.
    pub(crate) fn all(&self) -> Vec<LiveBan> {
        let now = unix_secs();
        let state = self.current.load();
        let bans = state.bans.iter().filter(|live| !live.ban.has_ended(now));
        bans.cloned().collect()
    }

    /// Bans someone for so many seconds from this one on, or for good; takes the place of a ban on the same. Names and
    /// reasons have no line ends.
    pub(crate) async fn add(
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
        self.change(move |bans| {
            bans.retain(|other| other.ban.whom != live.ban.whom);
            if bans.len() >= BANS_MAX {
                return Err(LiveError::Full);
            }
            bans.push(live.clone());
            Ok(live)
        })
        .await
    }

    pub(crate) async fn lift(&self, whom: &Banned) -> Result<(), LiveError> {
        let whom = whom.clone();
        self.change(move |bans| {
            bans.retain(|live| live.ban.whom != whom);
            Ok(())
        })
        .await
    }

    /// Changes a copy, writes it, and puts it in the place of what was there. What was begun is ended, whoever still
    /// waits for it.
    async fn change<T: Send + 'static>(
        &self,
        edit: impl FnOnce(&mut Vec<LiveBan>) -> Result<T, LiveError> + Send + 'static,
    ) -> Result<T, LiveError> {
        let file = Arc::clone(&self.file).lock_owned().await;
        let current = Arc::clone(&self.current);
        let changed = spawn_blocking(move || {
            let now = unix_secs();
            let mut bans = current.load().bans.clone();
            bans.retain(|live| !live.ban.has_ended(now));
            let edited = edit(&mut bans)?;
            if let Some(file) = &*file {
                let failed = |error| LiveError::File {
                    file: file.clone(),
                    error,
                };
                write(file, &bans).map_err(failed)?;
            }
            current.store(Arc::new(State::of(bans)));
            Ok(edited)
        });
        changed.await.unwrap_or(Err(LiveError::Broken))
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
    fn of(bans: Vec<LiveBan>) -> Self {
        let mut table = Bans::default();
        for live in &bans {
            table.add(live.ban.clone());
        }
        Self { bans, table }
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
