//! `strowger restore`: a data directory out of a backup.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::print;
use super::store::{Directory, as_date, in_units};
use crate::failure::Failure;

/// Make a data directory out of a backup.
///
/// The directory has to be empty or missing: `strowger restore` replaces nothing. The whole file is checked first. The
/// engine may be another than that of the store that was backed up. Session and message numbers and the store's time go
/// on from those of the backup. A restore that fails half-way leaves a directory that no broker opens; remove it and
/// restore again.
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
    let storage = options.directory.storage()?;
    let engine = match (options.engine, storage.engine) {
        (Some(Engine::Fjall), _) | (None, conf::Engine::Fjall) => "fjall",
        (Some(Engine::Sled), _) | (None, conf::Engine::Sled) => "sled",
        (None, conf::Engine::Memory) => {
            let what = "storage.engine is \"memory\", which keeps nothing; name another with --engine";
            return Err(Failure::Usage(what.to_owned()));
        }
    };
    let (head, totals) = storage::restore(&options.file, &storage.directory, engine)?;
    let line = format!(
        "{}: {} records, {}, as of {}, engine {engine}\n",
        storage.directory.display(),
        totals.records,
        in_units(totals.bytes),
        as_date(head.made_at_ms)
    );
    print(line.as_bytes()).map(drop)
}
