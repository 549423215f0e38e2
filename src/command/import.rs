//! `strowger import`: from Mosquitto's configuration to ours, with a word about each of its lines.

mod doors;
mod draft;
mod general;
mod plan;
mod report;
mod result;
mod rights;
mod source;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use self::draft::Draft;
use self::report::{Fate, Note, Report};
use self::result::{Made, Places};
use self::source::Line;
use super::{check, print};
use crate::failure::Failure;

/// Something was not converted.
const INCOMPLETE: u8 = 1;

/// Convert a configuration of Mosquitto, with its passwords and rights.
///
/// Reads mosquitto.conf with what it includes, and writes strowger.toml into a directory, with copies of the password file
/// and the ACL file, and with rules for what no setting does. For each line it says what became of it: converted, not
/// needed, or NOT CONVERTED and what to do. A listener that would let in more than it did is left out. Settings, rights and
/// rules of the result are checked; users and certificates are read by `strowger check`, on the machine where they are.
///
/// Certificates and keys stay where they are; the authorities of a capath are copied into one file. Sessions and messages
/// in mosquitto.db are not read.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Mosquitto's configuration
    file: PathBuf,
    /// The directory for the result; it is made if it is missing
    #[arg(long, value_name = "DIR", default_value = "strowger-import")]
    out: PathBuf,
    /// Where the broker is to keep its data
    #[arg(long, value_name = "DIR", default_value = "/var/lib/strowger")]
    data_dir: PathBuf,
    /// Replace files of the result that are there
    #[arg(long)]
    force: bool,
}

pub(super) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let places = Places {
        out: std::path::absolute(&options.out).map_err(Failure::io("find the working directory"))?,
        data: options.data_dir.clone(),
    };
    let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
    let (files, report) = convert(&source::read(&options.file)?, &places, has_ipv6)?;
    write(&files, &places.out, options.force)?;
    print(report.text().as_bytes())?;
    check::read(&places.out.join("strowger.toml"))?;
    print(format!("{}: OK\n", places.out.join("strowger.toml").display()).as_bytes())?;
    Ok(match report.count(Fate::NotConverted) {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(INCOMPLETE),
    })
}

/// The files of the result, and what became of each line.
fn convert(lines: &[Line], places: &Places, has_ipv6: bool) -> Result<(Vec<Made>, Report), Failure> {
    let mut draft = Draft::new(lines);
    let mut report = Report::default();
    for line in lines {
        let note = take(&mut draft, line, report.next())?;
        report.tell(line, note);
    }
    let plan = plan::plan(&draft, has_ipv6, &mut report);
    let files = result::files(&mut draft, &plan, places, &mut report)?;
    Ok((files, report))
}

fn take(draft: &mut Draft, line: &Line, at: usize) -> Result<Note, Failure> {
    if let Some(note) = general::take_bridge(draft, line) {
        return Ok(note);
    }
    let note = match doors::take(draft, line, at)? {
        None => general::take_security(draft, line, at)?,
        note => note,
    };
    let note = match note {
        None => general::take_bounds(draft, line)?,
        note => note,
    };
    let note = match note {
        None => general::take_process(draft, line)?,
        note => note,
    };
    Ok(note.unwrap_or_else(|| Note::not_converted("this keyword is not known; look for it in docs/CONFIG.md")))
}

/// Writes the files for their owner and its group: passwords are among them.
fn write(files: &[Made], out: &Path, force: bool) -> Result<(), Failure> {
    let there = files.iter().map(|made| out.join(&made.name)).find(|file| file.exists());
    if let Some(file) = there.filter(|_| !force) {
        let file = file.display();
        return Err(Failure::Usage(format!(
            "{file} is there already; name another directory with --out, or replace it with --force"
        )));
    }
    fs::create_dir_all(out).map_err(Failure::io(format!("make {}", out.display())))?;
    for made in files {
        let file = out.join(&made.name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
        let written = options
            .open(&file)
            .and_then(|mut opened| opened.write_all(made.text.as_bytes()));
        written.map_err(Failure::io(format!("write {}", file.display())))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
