//! `strowger check`: reads a configuration as `serve` would, and says whether it is good.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use nix::unistd::geteuid;

use crate::command::{print, settings};
use crate::daemon;
use crate::daemon::privileges::Account;
use crate::failure::Failure;

/// Check a configuration file without serving.
///
/// Reads the file and the STROWGER_SECTION__KEY variables as `strowger serve` would, with all files that they name (rights,
/// rules, users, bans, keys, certificates), and what the data directory says of itself; says what the first mistake is, for
/// which a start would be refused. Ports are not tried. Run by root, it then looks as the broker's user (daemon.user, else the
/// one whose the data directory is), and warns of what that one cannot read.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The file [default: $STROWGER_CONF, else /etc/strowger/strowger.toml if it is there; else only the variables are
    /// checked]
    file: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let file = settings::file(options.file.as_deref())?;
    let layers = layers(file.as_deref());
    let conf = layers.clone().load()?.configuration;
    daemon::check_start(&layers, &conf)?;
    let account = Account::of_broker(&conf)?.filter(|_| geteuid().is_root());
    if let Some(warning) = account.and_then(|account| warning(&layers, &conf, &account)) {
        // With standard error closed there is nobody left to tell.
        let _ = writeln!(io::stderr(), "strowger check: warning: {warning}");
    }
    let what = file.map_or("configuration".to_owned(), |file| file.display().to_string());
    print(format!("{what}: OK\n").as_bytes()).map(drop)
}

/// Reads the file, and what rights and rules it names.
///
/// # Errors
///
/// The first mistake.
pub(super) fn read(file: &Path) -> Result<(), Failure> {
    daemon::check(&layers(Some(file)).load()?.configuration)
}

fn layers(file: Option<&Path>) -> conf::Layers {
    let layers = conf::Layers::default().environment(std::env::vars_os());
    match file {
        Some(file) => layers.file(file),
        None => layers,
    }
}

/// The first thing that root may and the broker may not. This process is the broker's user from then on.
fn warning(layers: &conf::Layers, conf: &conf::Configuration, account: &Account) -> Option<String> {
    let name = account.name();
    if let Some(foreign) = foreign(&conf.storage.directory, account.ids().0) {
        return Some(format!(
            "{} does not belong to user {name}, as whom the broker runs; give it to that one with chown",
            foreign.display()
        ));
    }
    let looked = account.assume(&[]).and_then(|()| {
        let conf = layers.clone().load()?.configuration;
        daemon::check_start(layers, &conf)?;
        let tokens = daemon::admin::tokens_file(&conf);
        match File::open(&tokens) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::io(format!("read {}", tokens.display()))(error))
            }
            _ => Ok(()),
        }
    });
    looked
        .err()
        .map(|failure| format!("as user {name}, as whom the broker runs: {failure}"))
}

/// The first file of a directory that is not the user's.
fn foreign(directory: &Path, uid: u32) -> Option<PathBuf> {
    let mut waiting = vec![directory.to_owned()];
    while let Some(path) = waiting.pop() {
        // What has gone meanwhile is nobody's.
        let Ok(found) = fs::symlink_metadata(&path) else {
            continue;
        };
        if found.uid() != uid {
            return Some(path);
        }
        if found.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            waiting.extend(
                entries
                    .filter(|entry| entry.file_name() != "lost+found")
                    .map(|entry| entry.path()),
            );
        }
    }
    None
}
