//! `strowger check`: reads a configuration as `serve` would, and says whether it is good.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use nix::unistd::geteuid;

use crate::command::{print, say, settings};
use crate::daemon;
use crate::daemon::privileges::Account;
use crate::failure::Failure;

/// Check a configuration file without serving.
///
/// Reads the file and the STROWGER_SECTION__KEY variables as `strowger serve` would, with all files that they name (rights,
/// rules, users, bans, keys, certificates), and what the data directory says of itself; looks whether data directory, pid file
/// and log can be made; says what the first mistake is, for which a start would be refused. Ports are not tried. Run by
/// root, it then looks as the broker's user (daemon.user, else the one whose the data directory is), and warns of what that
/// one cannot read.
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
    daemon::writable::check(&conf)?;
    daemon::check_start(&layers, &conf)?;
    let account = Account::of_broker(&conf)?.filter(|_| geteuid().is_root());
    if let Some(warning) = account.and_then(|account| warning(&layers, &conf, &account)) {
        say(&format!("strowger check: warning: {warning}"));
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
    // By `daemon.user` the broker is started as root, and makes files and reads keys before it becomes that user.
    let starts_as_root = matches!(Account::find(&conf.daemon), Ok(Some(_)));
    let looked = account.assume(&[]).and_then(|()| {
        let conf = layers.clone().load()?.configuration;
        if !starts_as_root {
            daemon::writable::check(&conf)?;
        }
        daemon::check_start(layers, &conf)?;
        let tokens = daemon::admin::tokens_file(&conf);
        match File::open(&tokens) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::io(format!("read {}", tokens.display()))(error))
            }
            _ => Ok(()),
        }
    });
    let failure = looked.err()?;
    if starts_as_root && matches!(failure, Failure::Tls { .. }) {
        return Some(format!(
            "a start by root succeeds, but a reload or an upgrade would be refused, since keys are read as user {name} then: \
             {failure}"
        ));
    }
    Some(format!("as user {name}, as whom the broker runs: {failure}"))
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
