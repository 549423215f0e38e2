//! A store that holds the archive to its promises: a key that is put as absent is absent, and one that is absent is put
//! so where the removal follows soon.

use bytes::Bytes;

use crate::record::{FLIGHT, GRAVE, MESSAGE, QUEUE, RECEIVED, REFERENCE, TRANSFER, WILL};
use crate::{Batch, Change, Durability, MemoryStore, ScanLimit, Store, StoreError, Table};

/// Records that come and go, so that it pays to say that they are new.
const FLEETING: [Table; 8] = [QUEUE, MESSAGE, REFERENCE, FLIGHT, RECEIVED, WILL, GRAVE, TRANSFER];

#[derive(Debug)]
pub(super) struct StrictStore {
    inner: MemoryStore,
    /// Refuses batches as a full store does.
    pub(super) refuses: bool,
    /// Batches after which it refuses.
    pub(super) batches_left: Option<usize>,
    /// What it cannot read.
    pub(super) unreadable: Option<(Table, Vec<u8>)>,
    /// Changes that it took.
    pub(super) changes: usize,
}

impl Default for StrictStore {
    fn default() -> Self {
        Self {
            inner: MemoryStore::new(usize::MAX),
            refuses: false,
            batches_left: None,
            unreadable: None,
            changes: 0,
        }
    }
}

impl StrictStore {
    /// Changes a bit of what stands there.
    pub(super) fn damage(&mut self, table: Table, key: &[u8]) {
        let mut value = self.inner.get(table, key).unwrap().unwrap().to_vec();
        value[1] ^= 1;
        self.inner.apply(Batch::default().put(table, key, &value)).unwrap();
    }

    /// Loses what stands there.
    pub(super) fn lose(&mut self, table: Table, key: &[u8]) {
        self.inner.apply(Batch::default().remove(table, key)).unwrap();
    }
}

impl Store for StrictStore {
    fn apply(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let is_used_up = self.batches_left == Some(0);
        self.batches_left = self.batches_left.map(|left| left.saturating_sub(1));
        if self.refuses || is_used_up {
            return Err(StoreError::Full {
                what: "as the test wants it".to_owned(),
            });
        }
        let mut expected = Batch::default();
        for change in batch.changes() {
            let mut single = Batch::default();
            match change {
                Change::Put { table, key, value } => {
                    let is_absent = self.inner.get(table, key).unwrap().is_none();
                    if FLEETING.contains(&table) && is_absent {
                        expected.put_new(table, key, value);
                    } else {
                        expected.put(table, key, value);
                    }
                    single.put(table, key, value);
                }
                Change::Remove { table, key } => {
                    let is_absent = self.inner.get(table, key).unwrap().is_none();
                    assert!(
                        !is_absent || !FLEETING.contains(&table),
                        "removes {key:?} of {table:?}, which is absent"
                    );
                    expected.remove(table, key);
                    single.remove(table, key);
                }
            }
            self.inner.apply(&single).unwrap();
            self.changes += 1;
        }
        assert!(
            *batch == expected,
            "a key is put as absent and is there, or the other way round"
        );
        Ok(())
    }

    fn commit(&mut self, durability: Durability) -> Result<(), StoreError> {
        self.inner.commit(durability)
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        match &self.unreadable {
            Some((broken, at)) if *broken == table && at == key => Err(StoreError::Failed {
                doing: "read",
                file: "data".into(),
                error: std::io::ErrorKind::Other.into(),
            }),
            Some(_) | None => self.inner.get(table, key),
        }
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: ScanLimit,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        self.inner.scan(table, prefix, after, limit)
    }

    fn maintain(&mut self) -> Result<bool, StoreError> {
        self.inner.maintain()
    }

    fn disk_bytes(&self) -> Result<u64, StoreError> {
        self.inner.disk_bytes()
    }
}
