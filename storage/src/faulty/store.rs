//! An engine in memory that knows what of it was committed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::{Faults, Operation, Random};
use crate::{Batch, Change, Durability, MemoryStore, ScanLimit, Store, StoreError, Table};

/// Every value that a place had since the last commit, the committed one first.
type History = BTreeMap<(Table, Bytes), Vec<Option<Bytes>>>;

#[derive(Debug)]
struct Inner {
    present: MemoryStore,
    history: History,
    has_failed: bool,
}

/// An engine in memory. Clones are one.
#[derive(Clone, Debug)]
pub struct FaultyStore {
    inner: Arc<Mutex<Inner>>,
    faults: Faults,
}

impl FaultyStore {
    /// An empty engine.
    #[must_use]
    pub fn new(faults: &Faults) -> Self {
        Self::with(MemoryStore::new(usize::MAX), faults)
    }

    fn with(present: MemoryStore, faults: &Faults) -> Self {
        let inner = Inner {
            present,
            history: History::new(),
            has_failed: false,
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            faults: faults.clone(),
        }
    }

    /// What is there after a power cut, or when it is opened again after a failure: for each place what it held at the
    /// last commit or, by the seed, at any time since. Without a seed only what was committed.
    #[must_use]
    pub fn after_power_cut(&self, seed: Option<u64>, faults: &Faults) -> Self {
        let mut random = seed.map(Random::new);
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut present = inner.present.clone();
        for ((table, key), values) in &inner.history {
            let drawn = random
                .as_mut()
                .map_or(0, |random| random.next() % values.len().max(1) as u64);
            let value = values.get(usize::try_from(drawn).unwrap_or_default());
            present.set(*table, key, value.and_then(Option::as_deref));
        }
        Self::with(present, faults)
    }

    fn act<T>(&self, act: impl FnOnce(&mut Inner) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.has_failed {
            return Err(failed("use", std::io::Error::other("it failed before")));
        }
        act(&mut inner)
    }

    fn check(&self, inner: &mut Inner, operation: Operation, doing: &'static str) -> Result<(), StoreError> {
        let Err(error) = self.faults.check(operation) else {
            return Ok(());
        };
        if error.kind() == std::io::ErrorKind::StorageFull {
            return Err(StoreError::Full {
                what: "the faulty engine".to_owned(),
            });
        }
        inner.has_failed = true;
        Err(failed(doing, error))
    }
}

fn failed(doing: &'static str, error: std::io::Error) -> StoreError {
    StoreError::Failed {
        doing,
        file: "the faulty engine".into(),
        error,
    }
}

impl Store for FaultyStore {
    fn apply(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.act(|inner| {
            self.check(inner, Operation::Apply, "write to")?;
            for change in batch.changes() {
                let (table, key, value) = match change {
                    Change::Put { table, key, value } => (table, key, Some(Bytes::copy_from_slice(value))),
                    Change::Remove { table, key } => (table, key, None),
                };
                let before = inner.present.get(table, key)?;
                let values = inner.history.entry((table, Bytes::copy_from_slice(key)));
                values.or_insert_with(|| vec![before]).push(value);
            }
            inner.present.apply(batch)
        })
    }

    fn commit(&mut self, durability: Durability) -> Result<(), StoreError> {
        self.act(|inner| {
            self.check(inner, Operation::Commit, "sync")?;
            if durability == Durability::Power {
                inner.history.clear();
            }
            Ok(())
        })
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.act(|inner| inner.present.get(table, key))
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: ScanLimit,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        self.act(|inner| inner.present.scan(table, prefix, after, limit))
    }

    fn maintain(&mut self) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn disk_bytes(&self) -> Result<u64, StoreError> {
        self.act(|inner| inner.present.disk_bytes())
    }
}
