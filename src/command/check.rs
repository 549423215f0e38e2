//! `strowger check`: reads a configuration as `serve` would, and says whether it is good.

use std::path::PathBuf;

use clap::Args;

use crate::command::print;
use crate::daemon::listeners::can_speak;
use crate::failure::Failure;

/// Check a configuration file without serving.
///
/// Reads the file and the STROWGER_SECTION__KEY variables as `strowger serve` would, and names the first mistake.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The file; without one, only the variables are checked
    file: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let mut layers = conf::Layers::default().environment(std::env::vars_os());
    if let Some(file) = &options.file {
        layers = layers.file(file);
    }
    let loaded = layers.load()?;
    loaded.configuration.listeners.iter().try_for_each(can_speak)?;
    let what = options
        .file
        .as_ref()
        .map_or("configuration".to_owned(), |file| file.display().to_string());
    print(format!("{what}: OK\n").as_bytes()).map(drop)
}
