//! The log on standard error: lines for people, or JSON for machines.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::failure::Failure;

/// Starts the log of this process.
pub(crate) fn start(settings: &conf::Log) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&settings.level)
        .map_err(|error| Failure::Usage(format!("`log.level` cannot be \"{}\": {error}", settings.level)))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    let started = match settings.format {
        conf::LogFormat::Text => subscriber.compact().with_ansi(io::stderr().is_terminal()).try_init(),
        conf::LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| Failure::Io {
        doing: "start the log".to_owned(),
        source: io::Error::other(error),
    })
}
