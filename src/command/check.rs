//! `strowger check`: reads a configuration as `serve` would, and says whether it is good.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::command::print;
use crate::daemon;
use crate::failure::Failure;

/// Check a configuration file without serving.
///
/// Reads the file and the STROWGER_SECTION__KEY variables as `strowger serve` would, with the files of rights and rules
/// that they name, and says what the first mistake is.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The file; without one, only the variables are checked
    file: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    read(options.file.as_deref())?;
    let what = options
        .file
        .as_ref()
        .map_or("configuration".to_owned(), |file| file.display().to_string());
    print(format!("{what}: OK\n").as_bytes()).map(drop)
}

/// Reads the file and what it names as `serve` would.
///
/// # Errors
///
/// The first mistake.
pub(super) fn read(file: Option<&Path>) -> Result<(), Failure> {
    let mut layers = conf::Layers::default().environment(std::env::vars_os());
    if let Some(file) = file {
        layers = layers.file(file);
    }
    daemon::check(&layers.load()?.configuration)
}
