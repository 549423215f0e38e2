//! The entries of a table, read page by page.

use std::vec::IntoIter;

use bytes::Bytes;

use crate::{ScanLimit, Store, StoreError, Table};

const PAGE: ScanLimit = ScanLimit {
    entries_max: 1024,
    bytes_max: 1 << 20,
};

/// All entries of a table in their order. An error is the last item.
pub(super) struct Entries<'a> {
    store: &'a dyn Store,
    table: Table,
    after: Option<Bytes>,
    page: IntoIter<(Bytes, Bytes)>,
    has_ended: bool,
}

impl<'a> Entries<'a> {
    pub(super) fn new(store: &'a dyn Store, table: Table) -> Self {
        Self {
            store,
            table,
            after: None,
            page: Vec::new().into_iter(),
            has_ended: false,
        }
    }

    /// Those behind a key.
    pub(super) fn behind(store: &'a dyn Store, table: Table, key: &[u8]) -> Self {
        Self {
            after: Some(Bytes::copy_from_slice(key)),
            ..Self::new(store, table)
        }
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<(Bytes, Bytes), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(entry) = self.page.next() {
            return Some(Ok(entry));
        }
        if self.has_ended {
            return None;
        }
        match self.store.scan(self.table, &[], self.after.as_deref(), PAGE) {
            Ok(page) => {
                self.after = page.last().map(|(key, _)| key.clone());
                self.has_ended = page.is_empty();
                self.page = page.into_iter();
                self.page.next().map(Ok)
            }
            Err(error) => {
                self.has_ended = true;
                Some(Err(error))
            }
        }
    }
}
