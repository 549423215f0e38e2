//! `strowger restore`: a data directory out of a backup.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use storage::CheckedBackup;

use super::store::{Directory, as_date, in_units};
use super::{ownership, print, say};
use crate::daemon::privileges::Account;
use crate::failure::Failure;

/// Make a data directory out of a backup.
///
/// The directory has to be empty or missing: `strowger restore` replaces nothing. The whole file is checked first. The
/// engine may be another than that of the store that was backed up. Session and message numbers and the store's time go
/// on from those of the backup. A restore that fails half-way leaves a directory that no broker opens; remove it and
/// restore again. Root restores as the user whose the directory is, who has to reach it; if it is missing, as the user of
/// daemon.user, or as the one whose the directory above it is.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    directory: Directory,
    /// What keeps the data from then on [default: storage.engine of the settings]
    #[arg(long, value_name = "ENGINE")]
    engine: Option<Engine>,
}

/// The engines that keep something.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Engine {
    Fjall,
    Sled,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let conf = options.directory.configuration()?;
    let storage = &conf.storage;
    let engine = match (options.engine, storage.engine) {
        (Some(Engine::Fjall), _) | (None, conf::Engine::Fjall) => "fjall",
        (Some(Engine::Sled), _) | (None, conf::Engine::Sled) => "sled",
        (None, conf::Engine::Memory) => {
            let what = "storage.engine is \"memory\", which keeps nothing; name another with --engine";
            return Err(Failure::Usage(what.to_owned()));
        }
    };
    let backup = CheckedBackup::open(&options.file)?;
    let account = ownership::account_of_data(&storage.directory, &conf.daemon)?;
    if let Some(account) = &account {
        become_owner(account, &storage.directory)?;
    }
    let (head, totals) = backup.restore(&storage.directory, engine)?;
    if account.is_some_and(|account| account.is_root()) {
        say_whose(&storage.directory, Account::find(&conf.daemon)?);
    }
    let line = format!(
        "{}: {} records, {}, as of {}, engine {engine}\n",
        storage.directory.display(),
        totals.records,
        in_units(totals.bytes),
        as_date(head.made_at_ms)
    );
    print(line.as_bytes()).map(drop)
}

/// From here on root is the user whose the directory is: what root writes or gives away in a directory of somebody else's,
/// that one can lead elsewhere.
fn become_owner(account: &Account, directory: &Path) -> Result<(), Failure> {
    account.give_directory(directory)?;
    if account.is_root() {
        return Ok(());
    }
    account.assume(&[])?;
    let doing = format!("read {} as user {}, whose it is", directory.display(), account.name());
    fs::read_dir(directory).map(drop).map_err(Failure::io(doing))
}

/// A broker that gave root's rights up, or never had them, opens nothing of root's.
fn say_whose(directory: &Path, of_broker: Option<Account>) {
    let name = match of_broker {
        Some(account) if account.is_root() => return,
        Some(account) => Some(account.name()),
        None => None,
    };
    let remedy = match name {
        Some(name) => format!("give it to {name}, as whom the broker runs (daemon.user): chown -R {name}:"),
        None => "if the broker runs as another user, give it to that one: chown -R USER:".to_owned(),
    };
    let directory = directory.display();
    say(&format!(
        "strowger restore: {directory} belongs to root; {remedy} {directory}"
    ));
}
