//! `strowger restore`: a data directory out of a backup.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::ownership::Owner;
use super::print;
use super::store::{Directory, as_date, in_units};
use crate::failure::Failure;

/// Make a data directory out of a backup.
///
/// The directory has to be empty or missing: `strowger restore` replaces nothing. The whole file is checked first. The
/// engine may be another than that of the store that was backed up. Session and message numbers and the store's time go
/// on from those of the backup. A restore that fails half-way leaves a directory that no broker opens; remove it and
/// restore again. What root restores belongs to whom the directory belonged; if it was missing, to the user of daemon.user,
/// or as the directory above it.
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
    let owner = Owner::of_data(&storage.directory, &conf.daemon)?;
    let (head, totals) = storage::restore(&options.file, &storage.directory, engine)?;
    if let Some(owner) = owner {
        owner.take(&storage.directory)?;
        if owner.is_root() {
            say_whose(&storage.directory);
        }
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

/// A broker that gave root's rights up, or never had them, opens nothing of root's.
fn say_whose(directory: &Path) {
    // With standard error closed there is nobody left to tell.
    let _ = writeln!(
        io::stderr(),
        "strowger restore: {0} belongs to root; if the broker runs as another user, give it to that one: chown -R USER: {0}",
        directory.display()
    );
}
