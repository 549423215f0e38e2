//! `strowger check`: reads a configuration as `serve` would, and says whether it is good.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::command::print;
use crate::daemon::access;
use crate::daemon::listeners::can_speak;
use crate::failure::Failure;
use crate::policy::Policy;

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
    let mut layers = conf::Layers::default().environment(std::env::vars_os());
    if let Some(file) = &options.file {
        layers = layers.file(file);
    }
    let configuration = layers.load()?.configuration;
    access::check(&configuration.auth).map_err(|error| Failure::Policy(error.to_string()))?;
    configuration.listeners.iter().try_for_each(can_speak)?;
    if !configuration.acl.file.is_empty() {
        let read = actors::read_rights(Path::new(&configuration.acl.file));
        read.map_err(|error| Failure::Policy(error.to_string()))?;
    }
    Policy::open(&configuration.rules)?;
    let what = options
        .file
        .as_ref()
        .map_or("configuration".to_owned(), |file| file.display().to_string());
    print(format!("{what}: OK\n").as_bytes()).map(drop)
}
