//! `strowger store check`: reads everything and says what is wrong.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use storage::{CheckReport, Finding, Torn};

use super::{Directory, hex, in_units};
use crate::command::print;
use crate::failure::Failure;

/// Check everything that a store holds.
///
/// Reads every block of the journal and every record, and holds records against each other: deliveries against their
/// sessions and messages, counts against what they count. The journal is not written: a tail that a crash left
/// unfinished is reported and stays; nothing in it had been acknowledged. Opening the engine lets the engine put its own
/// files in order; no record is changed. The broker has to be stopped: the files move under one that runs. (To check
/// without stopping it, restore a backup elsewhere and check that.)
///
/// Exit codes: 0 sound, 65 damaged, 69 in use by a broker, 74 cannot be read.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Options {
    #[command(flatten)]
    directory: Directory,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let report = storage::check(&options.directory.path()?)?;
    let text = match options.json {
        true => in_json(&report)?,
        false => in_words(&report),
    };
    print(text.as_bytes())?;
    match report.is_sound() {
        true => Ok(ExitCode::SUCCESS),
        false => Err(Failure::Unsound {
            directory: report.directory.display().to_string(),
            findings: report.findings_total,
        }),
    }
}

fn in_words(report: &CheckReport) -> String {
    let mut text = format!(
        "{}: format {}, engine {}\n",
        report.directory.display(),
        report.format.version,
        report.format.engine
    );
    match &report.journal {
        Some(journal) => {
            let found = &journal.recovery;
            let _ = writeln!(
                text,
                "journal: {} segments, {} blocks, {} changes, {}",
                found.segments,
                found.blocks,
                found.records,
                in_units(found.bytes)
            );
        }
        None => text += "journal: damaged; what it holds was not read\n",
    }
    for count in report.tables.iter().filter(|count| count.records > 0) {
        let _ = writeln!(
            text,
            "{}: {} records, {}",
            count.name,
            count.records,
            in_units(count.bytes)
        );
    }
    if let Some(torn) = torn(report) {
        let _ = writeln!(
            text,
            "torn tail: {} at offset {}: a write was not finished when the broker ended; the next start cuts it off, \
             nothing in it had been acknowledged",
            torn.file.display(),
            torn.offset
        );
    }
    if !report.is_linked {
        text += "records were not held against each other, since not all of them could be read\n";
    }
    for finding in &report.findings {
        let offset = finding
            .offset
            .map_or_else(String::new, |offset| format!(" at offset {offset}"));
        let _ = writeln!(text, "DAMAGED: {}{offset}: {}", finding.file.display(), finding.what);
    }
    let untold = report.findings_total - report.findings.len() as u64;
    if untold > 0 {
        let _ = writeln!(text, "DAMAGED: {untold} more places");
    }
    if report.is_sound() {
        text += "sound\n";
    }
    text
}

fn torn(report: &CheckReport) -> Option<&Torn> {
    report.journal.as_ref().and_then(|journal| journal.torn())
}

#[derive(Serialize)]
struct Report {
    directory: PathBuf,
    sound: bool,
    format_version: u32,
    engine: String,
    journal: Option<Journal>,
    tables: Vec<Count>,
    linked: bool,
    findings_total: u64,
    findings: Vec<Place>,
}

#[derive(Serialize)]
struct Journal {
    segments: usize,
    blocks: u64,
    changes: u64,
    bytes: u64,
    last_time_ms: u64,
    last_number: u64,
    torn: Option<Place>,
}

#[derive(Serialize)]
struct Count {
    table: u8,
    name: &'static str,
    records: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Place {
    file: PathBuf,
    offset: Option<u64>,
    table: Option<u8>,
    key: Option<String>,
    what: String,
}

impl From<&Finding> for Place {
    fn from(finding: &Finding) -> Self {
        Self {
            file: finding.file.clone(),
            offset: finding.offset,
            table: finding.table.map(|table| table.0),
            key: finding.key.as_deref().map(hex),
            what: finding.what.clone(),
        }
    }
}

impl From<&Torn> for Place {
    fn from(torn: &Torn) -> Self {
        Self {
            file: torn.file.clone(),
            offset: Some(torn.offset),
            table: None,
            key: None,
            what: "a write was not finished".to_owned(),
        }
    }
}

fn in_json(report: &CheckReport) -> Result<String, Failure> {
    let journal = report.journal.as_ref().map(|journal| Journal {
        segments: journal.recovery.segments,
        blocks: journal.recovery.blocks,
        changes: journal.recovery.records,
        bytes: journal.recovery.bytes,
        last_time_ms: journal.stamp().time_ms,
        last_number: journal.stamp().number,
        torn: journal.torn().map(Place::from),
    });
    let tables = report.tables.iter().map(|count| Count {
        table: count.table.0,
        name: count.name,
        records: count.records,
        bytes: count.bytes,
    });
    super::stat::to_json(&Report {
        directory: report.directory.clone(),
        sound: report.is_sound(),
        format_version: report.format.version,
        engine: report.format.engine.clone(),
        journal,
        tables: tables.collect(),
        linked: report.is_linked,
        findings_total: report.findings_total,
        findings: report.findings.iter().map(Place::from).collect(),
    })
}
