//! Everything that a store holds, held against what it should be.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::entries::Entries;
use super::links;
use super::lock;
use super::spectator::Spectator;
use crate::record::{
    FLIGHT, Fault, Flaw, GRAVE, MESSAGE, QUEUE, RECEIVED, REFERENCE, RETAINED, Record, SESSION, SUBSCRIPTION, TABLES,
    TRANSFER, WILL, session_of, subscription_key, topic_key,
};
use crate::shelf::open_engine;
use crate::{
    FileMedium, Format, MemoryStore, Recovery, Shard, ShardOptions, Stamp, Store, StoreError, Table, Torn, inspect,
};

/// Findings that are told one by one; further ones are counted.
const FINDINGS_MAX: usize = 1000;

/// What a check found.
#[derive(Clone, Debug)]
pub struct CheckReport {
    /// The data directory.
    pub directory: PathBuf,
    /// What it says of itself.
    pub format: Format,
    /// What the journal holds; none if it is damaged.
    pub journal: Option<JournalReport>,
    /// Records by table, those of the journal over those of the engine.
    pub tables: Vec<TableCount>,
    /// Whether journal and engine could both be read, so that records could be held against each other.
    pub is_linked: bool,
    /// What is wrong, the first of it.
    pub findings: Vec<Finding>,
    /// How much is wrong.
    pub findings_total: u64,
}

impl CheckReport {
    /// Whether nothing is wrong. A torn tail is not wrong: nothing in it was promised.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings_total == 0
    }

    fn add(&mut self, finding: Finding) {
        self.findings_total += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }

    /// A record that is wrong.
    pub(super) fn add_fault(&mut self, fault: &Fault) {
        let finding = Finding {
            file: self.directory.clone(),
            offset: None,
            table: Some(fault.table),
            key: Some(fault.key.clone()),
            what: fault.to_string(),
        };
        self.add(finding);
    }

    /// A record that does not fit to others.
    pub(super) fn add_flaw(&mut self, table: Table, key: &[u8], what: &'static str) {
        self.add_fault(&Fault::new(table, key, Flaw::Content(what)));
    }

    /// Notes damage; any other error ends the check.
    pub(super) fn bear<T>(&mut self, result: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(StoreError::Damaged { file, offset, what }) => {
                self.add(Finding {
                    file,
                    offset,
                    table: None,
                    key: None,
                    what,
                });
                Ok(None)
            }
            Err(StoreError::Version { file, found, known }) => {
                self.add(Finding {
                    file,
                    offset: None,
                    table: None,
                    key: None,
                    what: format!("format version {found}, known up to {known}"),
                });
                Ok(None)
            }
            Err(
                error @ (StoreError::Full { .. }
                | StoreError::Locked { .. }
                | StoreError::Engine { .. }
                | StoreError::Failed { .. }),
            ) => Err(error),
        }
    }
}

/// What a journal holds.
#[derive(Clone, Debug)]
pub struct JournalReport {
    /// Segments, blocks and records.
    pub recovery: Recovery,
}

impl JournalReport {
    /// The tail that a crash has left unfinished. It is still there; a broker cuts it off when it starts.
    #[must_use]
    pub fn torn(&self) -> Option<&Torn> {
        self.recovery.torn.as_ref()
    }

    /// The last stamp.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.recovery.stamp
    }
}

/// How much a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableCount {
    /// The table.
    pub table: Table,
    /// Its name, if it is known.
    pub name: &'static str,
    /// Records.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, or the directory if it is a record of the engine or a relation between records.
    pub file: PathBuf,
    /// Where in the file, in bytes.
    pub offset: Option<u64>,
    /// The table of the record.
    pub table: Option<Table>,
    /// The key of the record.
    pub key: Option<Box<[u8]>>,
    /// What is wrong there.
    pub what: String,
}

/// Reads every block of the journal and every record, and holds records against each other.
///
/// # Errors
///
/// [`StoreError::Locked`] while a broker has the directory; [`StoreError::Failed`] if it holds no store or the system
/// refuses to read it. Damage is no error but a finding.
pub fn check(path: &Path) -> Result<CheckReport, StoreError> {
    let (format, directory) = lock(path)?;
    let mut report = CheckReport {
        directory: directory.path().to_owned(),
        format,
        journal: None,
        tables: Vec::new(),
        is_linked: false,
        findings: Vec::new(),
        findings_total: 0,
    };
    let medium = FileMedium::read_only(directory.journal());
    let recovery = match directory.journal().is_dir() {
        true => inspect(&medium, 0),
        false => Err(StoreError::Damaged {
            file: directory.journal(),
            offset: None,
            what: "the journal is missing".to_owned(),
        }),
    };
    let recovery = report.bear(recovery)?;
    let shelf = directory.find_shelf();
    let engine = shelf.and_then(|shelf| open_engine(&report.format.engine, &shelf, None));
    let engine = report.bear(engine)?;
    report.is_linked = recovery.is_some() && engine.is_some();
    report.journal = recovery.map(|recovery| JournalReport { recovery });
    let engine = engine.unwrap_or_else(|| Box::new(MemoryStore::new(0)));
    let store = match report.journal {
        None => engine,
        Some(_) => {
            let opened = Shard::open_on(Box::new(Spectator::new(&directory)), ShardOptions::new(engine), true);
            match report.bear(opened)? {
                Some((shard, _)) => Box::new(shard),
                None => return Ok(report),
            }
        }
    };
    check_records(&*store, &mut report)?;
    if report.is_linked {
        links::check(&*store, &mut report)?;
    }
    drop(store);
    Ok(report)
}

/// Reads every record by itself.
fn check_records(store: &dyn Store, report: &mut CheckReport) -> Result<(), StoreError> {
    for number in 0..=u8::MAX {
        let table = Table(number);
        let known = TABLES.iter().find(|(known, _)| *known == table);
        let mut count = TableCount {
            table,
            name: known.map_or("unknown", |(_, name)| name),
            records: 0,
            bytes: 0,
        };
        for entry in Entries::new(store, table) {
            let Some((key, value)) = report.bear(entry)? else { break };
            count.records += 1;
            count.bytes += (key.len() + value.len()) as u64;
            match Record::read(table, &key, &value) {
                Ok(record) if is_in_place(table, &key, &record) => {}
                Ok(_) => report.add_flaw(table, &key, "it stands under a key that is not its own"),
                Err(fault) => report.add_fault(&fault),
            }
        }
        if known.is_some() || count.records > 0 {
            report.tables.push(count);
        }
    }
    Ok(())
}

/// Whether a key has the form of its table, and is made of what the record names.
fn is_in_place(table: Table, key: &Bytes, record: &Record) -> bool {
    const NUMBER: usize = 8;
    let bytes = match table {
        SESSION | WILL | GRAVE | MESSAGE | REFERENCE | TRANSFER => NUMBER,
        QUEUE | FLIGHT => 2 * NUMBER,
        RECEIVED => NUMBER + 2,
        RETAINED | SUBSCRIPTION | Table(_) => key.len(),
    };
    let fits = if let Record::Retained(message) = record {
        **key == topic_key(&message.topic)
    } else if let Record::Subscription(subscription) = record {
        session_of(key).is_some_and(|session| **key == subscription_key(session, &subscription.filter))
    } else {
        true
    };
    fits && key.len() == bytes
}
