//! The engine that keeps everything in memory: for caches and load tests, and the measure of the others.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;

use crate::batch::Place;
use crate::{Batch, Change, Durability, ScanLimit, Store, StoreError, Table};

/// Holds what it is given until the process ends.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    entries: BTreeMap<Place, Bytes>,
    bytes: usize,
    bytes_max: usize,
}

impl MemoryStore {
    /// An empty store for at most `bytes_max` bytes of keys and values.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// Bytes of keys and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts or removes one value, whatever the bound.
    pub(crate) fn set(&mut self, table: Table, key: &[u8], value: Option<&[u8]>) {
        match value {
            Some(value) => self.put(Place::new(table, key), value),
            None => self.remove(&Place::new(table, key)),
        }
    }

    fn put(&mut self, place: Place, value: &[u8]) {
        let key_len = place.key().len();
        match self.entries.insert(place, Bytes::copy_from_slice(value)) {
            Some(old) => self.bytes -= old.len(),
            None => self.bytes += key_len,
        }
        self.bytes += value.len();
    }

    fn remove(&mut self, place: &Place) {
        if let Some(value) = self.entries.remove(place) {
            self.bytes -= place.key().len() + value.len();
        }
    }
}

impl Store for MemoryStore {
    fn apply(&mut self, batch: &Batch) -> Result<(), StoreError> {
        batch.check()?;
        let size = |change: Change<'_>| match change {
            Change::Put { key, value, .. } => key.len() + value.len(),
            Change::Remove { .. } => 0,
        };
        let wanted: usize = batch.changes().map(size).sum();
        if wanted > 0 && self.bytes.saturating_add(wanted) > self.bytes_max {
            return Err(StoreError::Full {
                what: format!(
                    "the store in memory holds {} of {} bytes, {wanted} more wanted",
                    self.bytes, self.bytes_max
                ),
            });
        }
        for change in batch.changes() {
            match change {
                Change::Put { table, key, value } => self.put(Place::new(table, key), value),
                Change::Remove { table, key } => self.remove(&Place::new(table, key)),
            }
        }
        Ok(())
    }

    /// Promises nothing whatever the durability: a memory has no medium.
    fn commit(&mut self, _: Durability) -> Result<(), StoreError> {
        Ok(())
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.entries.get(&Place::new(table, key)).cloned())
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: ScanLimit,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(Place::new(table, after)),
            Some(_) | None => Bound::Included(Place::new(table, prefix)),
        };
        let wanted = Place::new(table, prefix);
        let mut bytes = 0;
        let mut found = Vec::new();
        for (place, value) in self.entries.range((start, Bound::Unbounded)) {
            if limit.is_reached(found.len(), bytes) || !place.as_bytes().starts_with(wanted.as_bytes()) {
                break;
            }
            bytes += place.key().len() + value.len();
            found.push((Bytes::copy_from_slice(place.key()), value.clone()));
        }
        Ok(found)
    }

    fn maintain(&mut self) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn disk_bytes(&self) -> Result<u64, StoreError> {
        Ok(u64::try_from(self.bytes).unwrap_or(u64::MAX))
    }
}
