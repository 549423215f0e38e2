//! `strowger store`: looks into the data directory of a broker that is stopped.

mod check;
mod dump;
mod stat;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::settings;
use crate::failure::Failure;

/// Look into the data of a stopped broker.
///
/// The directory is that of --data-dir, or of the settings.
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = false)]
pub(crate) struct Options {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Check(check::Options),
    Stat(stat::Options),
    Dump(dump::Options),
}

/// Which data directory.
#[derive(Debug, Args)]
pub(crate) struct Directory {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Read settings from this file, as the broker does [default without --data-dir: $STROWGER_CONF, else
    /// /etc/strowger/strowger.toml if it is there]
    #[arg(long, value_name = "FILE", alias = "config")]
    conf: Option<PathBuf>,
}

impl Directory {
    /// Where the broker that has the directory is called, as `strowger serve` would read the settings.
    pub(crate) fn control_socket(&self) -> Result<PathBuf, Failure> {
        Ok(crate::daemon::control_socket(&self.configuration()?))
    }

    /// The file of settings that no option names.
    pub(crate) fn found(&self) -> Result<Option<PathBuf>, Failure> {
        match (&self.conf, &self.data_dir) {
            (None, None) => settings::file(None),
            (_, _) => Ok(None),
        }
    }

    /// The same in brackets, to follow the place where the broker was asked for; nothing if an option names it.
    ///
    /// # Errors
    ///
    /// As those of the settings.
    pub(crate) fn by(&self) -> Result<String, Failure> {
        Ok(self
            .found()?
            .map_or(String::new(), |file| format!(" (by {})", file.display())))
    }

    /// The settings of the store, as `strowger serve` would read them.
    pub(crate) fn storage(&self) -> Result<conf::Storage, Failure> {
        Ok(self.configuration()?.storage)
    }

    /// The settings of the broker that is meant.
    pub(crate) fn configuration(&self) -> Result<conf::Configuration, Failure> {
        settings::read(self.conf.as_deref(), self.data_dir.as_deref())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> Result<PathBuf, Failure> {
        Ok(self.storage()?.directory)
    }
}

/// The name of the command, and how it ended.
pub(crate) fn run(options: &Options) -> (&'static str, Result<ExitCode, Failure>) {
    match &options.verb {
        Verb::Check(options) => ("strowger store check", check::run(options)),
        Verb::Stat(options) => ("strowger store stat", stat::run(options).map(|()| ExitCode::SUCCESS)),
        Verb::Dump(options) => ("strowger store dump", dump::run(options)),
    }
}

/// Bytes for people: `8.0 MiB`.
pub(crate) fn in_units(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut figure = bytes as f64;
    let mut unit = "bytes";
    for larger in UNITS {
        if figure < 1024.0 {
            break;
        }
        figure /= 1024.0;
        unit = larger;
    }
    match unit {
        "bytes" => format!("{bytes} bytes"),
        _ => format!("{figure:.1} {unit}"),
    }
}

/// Milliseconds since 1970 as date and time in UTC: `2026-11-22 12:57:21Z`.
pub(crate) fn as_date(time_ms: u64) -> String {
    let secs = time_ms / 1000;
    let (mut days, mut year) = (secs / 86_400, 1970);
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hours, minutes, secs) = (secs / 3600 % 24, secs / 60 % 60, secs % 60);
    format!(
        "{year:04}-{month:02}-{:02} {hours:02}:{minutes:02}:{secs:02}Z",
        days + 1
    )
}

/// Bytes as hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
