//! Changes that are taken together.

use bytes::Bytes;

/// A part of the store with an order of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table(pub u8);

/// The place of a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The part of the store.
    pub table: Table,
    /// The place in that part.
    pub bytes: Bytes,
}

impl Key {
    /// A place in a table.
    #[must_use]
    pub fn new(table: Table, bytes: impl Into<Bytes>) -> Self {
        Self {
            table,
            bytes: bytes.into(),
        }
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Put this value there, in the place of another.
    Put(Key, Bytes),
    /// Remove what is there, if anything.
    Remove(Key),
    /// Remove all keys of a table from the first up to, and without, the second.
    RemoveRange(Table, Bytes, Bytes),
}

/// Changes that are applied whole or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    changes: Vec<Change>,
}

impl Batch {
    /// Adds a value.
    pub fn put(&mut self, key: Key, value: impl Into<Bytes>) -> &mut Self {
        self.changes.push(Change::Put(key, value.into()));
        self
    }

    /// Adds the removal of a key.
    pub fn remove(&mut self, key: Key) -> &mut Self {
        self.changes.push(Change::Remove(key));
        self
    }

    /// Adds the removal of the keys from `from` up to, and without, `to`.
    pub fn remove_range(&mut self, table: Table, from: impl Into<Bytes>, to: impl Into<Bytes>) -> &mut Self {
        self.changes.push(Change::RemoveRange(table, from.into(), to.into()));
        self
    }

    /// The changes in their order.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Bytes that the batch puts, at most what it adds to the store.
    #[must_use]
    pub fn bytes_put(&self) -> usize {
        let put = |change: &Change| match change {
            Change::Put(key, value) => key.bytes.len() + value.len(),
            Change::Remove(_) | Change::RemoveRange(..) => 0,
        };
        self.changes.iter().map(put).sum()
    }
}
