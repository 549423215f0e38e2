//! `strowger serve`: reads the configuration and hands over to the daemon.

use std::path::PathBuf;

use clap::Args;

use crate::command::print;
use crate::failure::Failure;
use crate::{daemon, log};

/// Run the broker.
///
/// Settings come from the defaults, then the file, then variables STROWGER_SECTION__KEY, then these options; what
/// comes later wins. docs/CONFIG.md lists them all.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Read settings from this file
    #[arg(long, value_name = "FILE")]
    conf: Option<PathBuf>,
    /// Listen here; may be repeated [default: 127.0.0.1:1883]
    #[arg(long, value_name = "HOST:PORT")]
    bind: Vec<String>,
    /// Keep the files of the storage engine here
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Change any setting, for example --set session.queue_full=drop; may be repeated
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
    /// Print every setting with its value and where the value comes from, then exit
    #[arg(long)]
    print_conf: bool,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let loaded = options.layers().load()?;
    if options.print_conf {
        return print(loaded.to_string().as_bytes()).map(drop);
    }
    log::start(&loaded.configuration.log)?;
    daemon::serve(&loaded.configuration)
}

impl Options {
    fn layers(&self) -> conf::Layers {
        let mut layers = conf::Layers::default()
            .environment(std::env::vars_os())
            .bind(&self.bind);
        if let Some(file) = &self.conf {
            layers = layers.file(file);
        }
        for pair in &self.set {
            layers = layers.set(pair);
        }
        if let Some(dir) = &self.data_dir {
            layers = layers.data_dir(dir);
        }
        layers
    }
}
