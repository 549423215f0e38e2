//! Why a record cannot be read, and what the store says then.

use std::fmt;
use std::path::Path;

use super::{RECORD_VERSION, TABLES};
use crate::{StoreError, Table};

/// A record that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its table.
    pub table: Table,
    /// Its key.
    pub key: Box<[u8]>,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is not what was written.
    Checksum,
    /// It is whole, and a later version wrote it.
    Version(u8),
    /// It is whole, and its content makes no sense.
    Content(&'static str),
}

impl Fault {
    pub(crate) fn new(table: Table, key: &[u8], flaw: Flaw) -> Self {
        Self {
            table,
            key: key.into(),
            flaw,
        }
    }

    /// The error of the store in `directory`.
    #[must_use]
    pub fn at(&self, directory: &Path) -> StoreError {
        let file = directory.to_owned();
        match self.flaw {
            Flaw::Version(found) => StoreError::Version {
                file,
                found: u32::from(found),
                known: u32::from(RECORD_VERSION),
            },
            Flaw::Checksum | Flaw::Content(_) => StoreError::Damaged {
                file,
                offset: None,
                what: self.to_string(),
            },
        }
    }
}

/// `record 000000000000000700000000000002a1 of table queue: its checksum does not fit`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("record ")?;
        for byte in &self.key {
            write!(f, "{byte:02x}")?;
        }
        match TABLES.iter().find(|(table, _)| *table == self.table) {
            Some((_, name)) => write!(f, " of table {name}: ")?,
            None => write!(f, " of table {}: ", self.table.0)?,
        }
        match self.flaw {
            Flaw::Checksum => f.write_str("its checksum does not fit"),
            Flaw::Version(found) => write!(f, "it has version {found}, known is {RECORD_VERSION}"),
            Flaw::Content(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Fault {}
