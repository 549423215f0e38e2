//! The way through a frozen shard, in slices.

use bytes::Bytes;

use crate::{ScanLimit, Shard, StoreError, Table};

/// Tables that one slice looks into: most numbers have no table, and looking for one costs a read of the engine.
const TABLES_PER_PAGE: usize = 16;

/// A record as the store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its table.
    pub table: Table,
    /// Its key.
    pub key: Bytes,
    /// Its value, version and checksum included.
    pub value: Bytes,
}

/// Takes all records of all tables out of a shard between [`Shard::freeze`] and [`Shard::thaw`], in order.
#[derive(Clone, Debug, Default)]
pub struct FrozenWalk {
    /// The number of the table that is read; 256: all are through.
    table: u16,
    after: Option<Bytes>,
}

impl FrozenWalk {
    /// The next records within `limit`, perhaps none; `None`: there are no more.
    ///
    /// # Errors
    ///
    /// The engine failed or holds something damaged, or nothing is frozen.
    pub fn page(&mut self, shard: &Shard, limit: ScanLimit) -> Result<Option<Vec<StoredRecord>>, StoreError> {
        let mut page = Vec::new();
        let mut bytes = 0;
        for _ in 0..TABLES_PER_PAGE {
            let Ok(number) = u8::try_from(self.table) else {
                return Ok((!page.is_empty()).then_some(page));
            };
            let table = Table(number);
            let left = ScanLimit {
                entries_max: limit.entries_max.saturating_sub(page.len()).max(1),
                bytes_max: limit.bytes_max.saturating_sub(bytes).max(1),
            };
            let found = shard.scan_frozen(table, self.after.as_deref(), left)?;
            let found_bytes: usize = found.iter().map(|(key, value)| key.len() + value.len()).sum();
            let is_through = !left.is_reached(found.len(), found_bytes);
            bytes += found_bytes;
            if let Some((key, _)) = found.last() {
                self.after = Some(key.clone());
            }
            page.extend(found.into_iter().map(|(key, value)| StoredRecord { table, key, value }));
            if !is_through {
                break;
            }
            self.table += 1;
            self.after = None;
        }
        Ok(Some(page))
    }
}
