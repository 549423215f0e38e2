//! What was applied and is not yet in the tree.

use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;

use bytes::Bytes;

use crate::shelf::{self, Range};
use crate::{Batch, Change};

/// What an entry takes beside its place and value, in bytes.
const ENTRY_BYTES: usize = 96;

type Entry = (Bytes, Bytes);

/// The last change of each place, in order; a removal is `None`.
#[derive(Debug, Default)]
pub(super) struct Staging {
    entries: BTreeMap<Bytes, Option<Bytes>>,
    bytes: usize,
}

impl Staging {
    /// Takes the changes of a batch, copied into one block that they share.
    pub(super) fn apply(&mut self, batch: &Batch) {
        let mut block = Vec::with_capacity(batch.bytes());
        let mut ends = Vec::with_capacity(batch.len());
        for change in batch.changes() {
            let (table, key, value) = match change {
                Change::Put { table, key, value } => (table, key, Some(value)),
                Change::Remove { table, key } => (table, key, None),
            };
            block.push(table.0);
            block.extend_from_slice(key);
            let place_end = block.len();
            block.extend_from_slice(value.unwrap_or_default());
            ends.push((place_end, value.map(|_| block.len())));
        }
        let block = Bytes::from(block);
        let mut start = 0;
        for (place_end, value_end) in ends {
            let place = block.slice(start..place_end);
            let value = value_end.map(|end| block.slice(place_end..end));
            start = value_end.unwrap_or(place_end);
            // What is replaced stays in memory with its block, so it goes on counting.
            self.bytes += ENTRY_BYTES + place.len() + value.as_ref().map_or(0, Bytes::len);
            self.entries.insert(place, value);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of memory, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn iter(&self) -> btree_map::Iter<'_, Bytes, Option<Bytes>> {
        self.entries.iter()
    }

    /// `None` if nothing is known of the place here, `Some(None)` if it was removed.
    pub(super) fn get(&self, place: &[u8]) -> Option<Option<&Bytes>> {
        self.entries.get(place).map(Option::as_ref)
    }

    /// The entries of a range as they are with what is staged over what is `written` there.
    pub(super) fn over<'a, E, W>(&'a self, range: &Range, written: W) -> Over<'a, W>
    where
        W: Iterator<Item = Result<Entry, E>>,
    {
        let bounds = (shelf::borrowed(&range.0), shelf::borrowed(&range.1));
        Over {
            staged: self.entries.range::<[u8], _>(bounds).peekable(),
            written: written.peekable(),
        }
    }
}

/// Two ordered runs of entries as one; the staged one hides the written one.
pub(super) struct Over<'a, W: Iterator> {
    staged: Peekable<btree_map::Range<'a, Bytes, Option<Bytes>>>,
    written: Peekable<W>,
}

impl<E, W: Iterator<Item = Result<Entry, E>>> Iterator for Over<'_, W> {
    type Item = Result<Entry, E>;

    fn next(&mut self) -> Option<Self::Item> {
        while let (Some((staged, _)), Some(written)) = (self.staged.peek(), self.written.peek()) {
            let Ok((written, _)) = written else {
                return self.written.next();
            };
            if written < *staged {
                return self.written.next();
            }
            if written == *staged {
                self.written.next();
            }
            if let Some(entry) = self.next_staged() {
                return Some(Ok(entry));
            }
        }
        while self.staged.peek().is_some() {
            if let Some(entry) = self.next_staged() {
                return Some(Ok(entry));
            }
        }
        self.written.next()
    }
}

impl<W: Iterator> Over<'_, W> {
    /// Takes the next staged change; `None` if it is a removal.
    fn next_staged(&mut self) -> Option<Entry> {
        let (place, value) = self.staged.next()?;
        Some((place.clone(), value.clone()?))
    }
}
