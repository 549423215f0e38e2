//! Removes, in slices, the records of sessions that ended.

use bytes::Bytes;

use super::Archive;
use crate::record::{Entry, FLIGHT, GRAVE, QUEUE, RECEIVED, SUBSCRIPTION, open};
use crate::{ScanLimit, Store, StoreError, Table};

/// In this order.
const SWEPT: [Table; 4] = [SUBSCRIPTION, RECEIVED, FLIGHT, QUEUE];

/// What a slice of sweeping did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Records of ended sessions that were removed.
    pub removed: usize,
    /// Entries among them that could not be read. A message that one of them shared stays in the store.
    pub damaged: usize,
    /// Whether ended sessions may have more.
    pub more: bool,
}

/// How far the last slice came: what lies before need not be looked through again.
#[derive(Clone, Debug)]
pub(super) struct Broom {
    table: Table,
    /// The last key that was removed.
    key: Bytes,
}

impl<S: Store> Archive<S> {
    /// Removes records of ended sessions, as many as `limit` allows to read.
    ///
    /// # Errors
    ///
    /// The store failed, has no room, or a count is damaged; nothing is removed then.
    pub fn sweep(&mut self, limit: ScanLimit) -> Result<Swept, StoreError> {
        self.apply()?;
        let before = self.broom.clone();
        let swept = self.sweep_graves(limit).and_then(|swept| {
            self.apply()?;
            Ok(swept)
        });
        if swept.is_err() {
            self.discard();
            self.broom = before;
        }
        swept
    }

    fn sweep_graves(&mut self, limit: ScanLimit) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        let mut left = ScanLimit {
            entries_max: limit.entries_max.max(1),
            bytes_max: limit.bytes_max.max(1),
        };
        let graves = self.store.scan(GRAVE, &[], None, left)?;
        let bytes = graves.iter().map(|(key, value)| key.len() + value.len()).sum();
        let are_all = !left.is_reached(graves.len(), bytes);
        for (grave, _) in &graves {
            if !self.sweep_grave(grave, &mut left, &mut swept)? {
                swept.more = true;
                return Ok(swept);
            }
            self.batch.remove(GRAVE, grave);
            left = spent(left, 1, 0);
        }
        swept.more = !are_all || left.is_reached(0, 0);
        Ok(swept)
    }

    /// Removes what one ended session has; `false`: the limit was reached before the end.
    fn sweep_grave(&mut self, grave: &Bytes, left: &mut ScanLimit, swept: &mut Swept) -> Result<bool, StoreError> {
        let broom = self.broom.take().filter(|broom| broom.key.starts_with(grave));
        let reached = broom.as_ref().map(|broom| broom.table);
        let tables = SWEPT
            .into_iter()
            .skip_while(|table| reached.is_some_and(|reached| *table != reached));
        for table in tables {
            if left.is_reached(0, 0) {
                return Ok(false);
            }
            let after = broom
                .as_ref()
                .filter(|broom| broom.table == table)
                .map(|broom| &*broom.key);
            let found = self.store.scan(table, grave, after, *left)?;
            let mut bytes = 0;
            for (key, value) in &found {
                bytes += key.len() + value.len();
                if table == QUEUE {
                    self.drop_reference(key, value, swept)?;
                }
                self.batch.remove(table, key);
            }
            swept.removed += found.len();
            let is_through = !left.is_reached(found.len(), bytes);
            *left = spent(*left, found.len(), bytes);
            if let Some((key, _)) = found.last() {
                let key = key.clone();
                self.broom = Some(Broom { table, key });
            }
            if !is_through {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn drop_reference(&mut self, key: &Bytes, value: &Bytes, swept: &mut Swept) -> Result<(), StoreError> {
        let Ok(entry) = open(QUEUE, key, value, Entry::read) else {
            swept.damaged += 1;
            return Ok(());
        };
        if let Some(id) = entry.shared() {
            self.know(id)?;
            self.references.drop(id);
        }
        Ok(())
    }
}

fn spent(limit: ScanLimit, entries: usize, bytes: usize) -> ScanLimit {
    ScanLimit {
        entries_max: limit.entries_max.saturating_sub(entries),
        bytes_max: limit.bytes_max.saturating_sub(bytes),
    }
}
