//! A walk through the entries of a table, read from the store in slices.

use std::vec::IntoIter;

use bytes::Bytes;

use crate::{ScanLimit, Store, StoreError, Table};

/// Where a walk stands. It borrows nothing: the store is named at each step.
pub(super) struct Walk {
    table: Table,
    prefix: Box<[u8]>,
    slice: IntoIter<(Bytes, Bytes)>,
    /// The last key that was read from the store.
    after: Option<Bytes>,
    ahead: Option<(Bytes, Bytes)>,
    limit: ScanLimit,
    /// The store has nothing behind the slice.
    ended: bool,
}

impl Walk {
    /// Through the keys that begin with `prefix` and lie behind `after`, read in slices of `limit`.
    pub(super) fn new(table: Table, prefix: &[u8], after: Option<&[u8]>, limit: ScanLimit) -> Self {
        Self {
            table,
            prefix: prefix.into(),
            slice: Vec::new().into_iter(),
            after: after.map(Bytes::copy_from_slice),
            ahead: None,
            limit: ScanLimit {
                entries_max: limit.entries_max.max(1),
                bytes_max: limit.bytes_max.max(1),
            },
            ended: false,
        }
    }

    /// The next entry, taken out.
    pub(super) fn next(&mut self, store: &impl Store) -> Result<Option<(Bytes, Bytes)>, StoreError> {
        if let Some(entry) = self.ahead.take() {
            return Ok(Some(entry));
        }
        if let Some(entry) = self.slice.next() {
            return Ok(Some(entry));
        }
        if self.ended {
            return Ok(None);
        }
        let found = store.scan(self.table, &self.prefix, self.after.as_deref(), self.limit)?;
        let bytes = found.iter().map(|(key, value)| key.len() + value.len()).sum();
        self.ended = !self.limit.is_reached(found.len(), bytes);
        if let Some((key, _)) = found.last() {
            self.after = Some(key.clone());
        } else {
            self.ended = true;
        }
        self.slice = found.into_iter();
        Ok(self.slice.next())
    }

    /// Whether there is a next entry. Reads no more than it, since it is not to be taken out.
    pub(super) fn has_more(&self, store: &impl Store) -> Result<bool, StoreError> {
        if self.ahead.is_some() || self.slice.len() > 0 || self.ended {
            return Ok(self.ahead.is_some() || self.slice.len() > 0);
        }
        let one = ScanLimit {
            entries_max: 1,
            bytes_max: 1,
        };
        Ok(!store
            .scan(self.table, &self.prefix, self.after.as_deref(), one)?
            .is_empty())
    }

    /// The next entry, left where it is.
    pub(super) fn peek(&mut self, store: &impl Store) -> Result<Option<&(Bytes, Bytes)>, StoreError> {
        if self.ahead.is_none() {
            self.ahead = self.next(store)?;
        }
        Ok(self.ahead.as_ref())
    }
}
