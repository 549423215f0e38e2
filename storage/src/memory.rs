//! The engine that keeps everything in memory: for caches and load tests, and the measure of the others.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;

use crate::{Batch, Change, Durability, Key, ScanLimit, Store, StoreError, Table};

/// Holds what it is given until the process ends.
#[derive(Debug)]
pub struct MemoryStore {
    entries: BTreeMap<Key, Bytes>,
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

    fn remove(&mut self, key: &Key) {
        if let Some(value) = self.entries.remove(key) {
            self.bytes -= key.bytes.len() + value.len();
        }
    }
}

impl Store for MemoryStore {
    fn durability(&self) -> Durability {
        Durability::Memory
    }

    fn apply(&mut self, batch: Batch) -> Result<(), StoreError> {
        let wanted = batch.bytes_put();
        if self.bytes.saturating_add(wanted) > self.bytes_max {
            return Err(StoreError::Full {
                used: self.bytes,
                wanted,
                max: self.bytes_max,
            });
        }
        for change in batch.changes() {
            match change {
                Change::Put(key, value) => {
                    self.remove(key);
                    self.bytes += key.bytes.len() + value.len();
                    self.entries.insert(key.clone(), value.clone());
                }
                Change::Remove(key) => self.remove(key),
                Change::RemoveRange(table, from, to) => {
                    let range = Key::new(*table, from.clone())..Key::new(*table, to.clone());
                    if range.start < range.end {
                        let keys: Vec<Key> = self.entries.range(range).map(|(key, _)| key.clone()).collect();
                        keys.iter().for_each(|key| self.remove(key));
                    }
                }
            }
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        Ok(self.entries.get(key).cloned())
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        from: &[u8],
        limit: ScanLimit,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let start = Key::new(table, Bytes::copy_from_slice(from.max(prefix)));
        let mut bytes = 0;
        let mut found = Vec::new();
        for (key, value) in self.entries.range((Bound::Included(start), Bound::Unbounded)) {
            let size = key.bytes.len() + value.len();
            let over = !found.is_empty() && bytes + size > limit.bytes_max;
            if key.table != table || !key.bytes.starts_with(prefix) || found.len() >= limit.entries_max || over {
                break;
            }
            bytes += size;
            found.push((key.bytes.clone(), value.clone()));
        }
        Ok(found)
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}
