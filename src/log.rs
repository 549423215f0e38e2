//! The log on standard error or in a file: lines for people, or JSON for machines; and its latest records for operators.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

use crate::daemon::probes::Records;
use crate::failure::Failure;
use level::Levels;
use outlet::Outlet;
use recent::Recent;

pub(crate) mod file;
pub(crate) mod journal;
pub(crate) mod level;
mod outlet;
mod recent;
#[cfg(test)]
mod tests;

/// Records that nobody took: one log in a process, one count.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Starts the log of this process.
pub(crate) fn start(settings: &conf::Log) -> Result<(), Failure> {
    level::configure(&settings.level)?;
    let (writer, is_terminal) = if settings.file.is_empty() {
        (BoxMakeWriter::new(Outlet::default), io::stderr().is_terminal())
    } else {
        (BoxMakeWriter::new(file::open(&settings.file)?), false)
    };
    let beneath = registry().with(Levels).with(Records).with(Recent);
    let lines = fmt::layer().with_writer(writer);
    let started = match settings.format {
        conf::LogFormat::Text => beneath.with(lines.compact().with_ansi(is_terminal)).try_init(),
        conf::LogFormat::Json => beneath.with(lines.json().flatten_event(true)).try_init(),
    };
    started.map_err(|error| Failure::Io {
        doing: "start the log".to_owned(),
        source: io::Error::other(error),
    })
}

/// Writes by another level from here on. What is no level was refused when the settings were read.
pub(crate) fn set_level(level: &str) {
    let _ = level::configure(level);
}

/// Records that were lost since the start: standard error was not read in time, or the file could not be written.
pub(crate) fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

fn count_dropped() {
    DROPPED.fetch_add(1, Ordering::Relaxed);
}

/// Writes what still waits for standard error, as far as it is taken.
pub(crate) fn finish() {
    outlet::finish();
}
