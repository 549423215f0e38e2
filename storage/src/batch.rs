//! Changes that are taken together, in the form in which the journal keeps them.
//!
//! A change is `verb u8, key length u16, value length u32, table u8, key, value`, numbers little-endian. The table
//! stands before the key so that both are one slice, which orders as the store does.

use std::cmp::Ordering;

use crate::StoreError;

/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 1024;
/// The longest value, in bytes: the largest MQTT packet and what a record adds to it.
pub const VALUE_BYTES_MAX: usize = (256 << 20) + (64 << 10);

const HEAD_BYTES: usize = 7;
const PUT: u8 = 1;
const PUT_NEW: u8 = 2;
const REMOVE: u8 = 3;

/// A part of the store with an order of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table(pub u8);

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// Put this value there, in the place of another.
    Put {
        /// The part of the store.
        table: Table,
        /// The place in that part.
        key: &'a [u8],
        /// What is put there.
        value: &'a [u8],
    },
    /// Remove what is there, if anything.
    Remove {
        /// The part of the store.
        table: Table,
        /// The place in that part.
        key: &'a [u8],
    },
}

/// Changes that are applied whole or not at all, in one buffer that is meant to be used again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    records: Vec<u8>,
    changes: usize,
    puts: bool,
    /// The first change that no store can take: the whole batch is refused for it.
    refused: Option<String>,
}

impl Batch {
    /// Adds a value in the place of another.
    pub fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> &mut Self {
        self.put_with(table, key, |bytes| bytes.extend_from_slice(value))
    }

    /// Adds a value that `write` appends to the bytes that it is given: nothing is allocated for it.
    pub fn put_with(&mut self, table: Table, key: &[u8], write: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        self.add(PUT, table, key, write)
    }

    /// Adds a value under a key that the store does not hold: a promise of the caller's.
    ///
    /// With it, the removal of the key later leaves nothing behind. Were the key there, that removal would uncover
    /// its old value.
    pub fn put_new(&mut self, table: Table, key: &[u8], value: &[u8]) -> &mut Self {
        self.put_new_with(table, key, |bytes| bytes.extend_from_slice(value))
    }

    /// Is to [`Batch::put_new`] as [`Batch::put_with`] is to [`Batch::put`].
    pub fn put_new_with(&mut self, table: Table, key: &[u8], write: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        self.add(PUT_NEW, table, key, write)
    }

    /// Adds the removal of a key.
    pub fn remove(&mut self, table: Table, key: &[u8]) -> &mut Self {
        self.add(REMOVE, table, key, |_| ())
    }

    fn add(&mut self, verb: u8, table: Table, key: &[u8], write: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        let start = self.records.len();
        let key_len = u16::try_from(key.len()).unwrap_or(u16::MAX).to_le_bytes();
        let [key_low, key_high] = key_len;
        self.records
            .extend_from_slice(&[verb, key_low, key_high, 0, 0, 0, 0, table.0]);
        self.records.extend_from_slice(key);
        let value_start = self.records.len();
        write(&mut self.records);
        let value_len = self.records.len().checked_sub(value_start);
        let refused = match value_len {
            _ if key.len() > KEY_BYTES_MAX => Some(format!("a key of {} bytes, {KEY_BYTES_MAX} at most", key.len())),
            Some(len) if len > VALUE_BYTES_MAX => Some(format!("a value of {len} bytes, {VALUE_BYTES_MAX} at most")),
            Some(_) => None,
            None => Some("a value whose writer took bytes away".to_owned()),
        };
        let head = self.records.get_mut(start + 3..start + HEAD_BYTES);
        let len = u32::try_from(value_len.unwrap_or_default()).unwrap_or_default();
        match head {
            Some(place) if refused.is_none() => {
                place.copy_from_slice(&len.to_le_bytes());
                self.changes += 1;
                self.puts |= verb != REMOVE;
            }
            Some(_) | None => {
                self.records.truncate(start);
                self.refused = self.refused.take().or(refused);
            }
        }
        self
    }

    /// The changes in their order.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        Records::new(&self.records).map_while(Result::ok).map(Change::from)
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes == 0 && self.refused.is_none()
    }

    /// Changes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.changes
    }

    /// Bytes of the changes with their keys, values and heads: what they take in a journal.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.records.len()
    }

    /// Empties the batch and keeps its buffer.
    pub fn clear(&mut self) {
        self.records.clear();
        self.changes = 0;
        self.puts = false;
        self.refused = None;
    }

    /// The changes as a journal keeps them.
    pub(crate) fn records(&self) -> &[u8] {
        &self.records
    }

    /// Whether the batch puts something, as opposed to only removing.
    pub(crate) fn puts(&self) -> bool {
        self.puts
    }

    /// Every engine asks this first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Full`] if a key or value is longer than any store takes.
    pub fn check(&self) -> Result<(), StoreError> {
        match &self.refused {
            Some(what) => Err(StoreError::Full { what: what.clone() }),
            None => Ok(()),
        }
    }
}

impl<'a> From<Record<'a>> for Change<'a> {
    fn from(record: Record<'a>) -> Self {
        let (table, key) = table_and_key(record.place);
        match record.verb {
            Verb::Put | Verb::PutNew => Self::Put {
                table,
                key,
                value: record.value,
            },
            Verb::Remove => Self::Remove { table, key },
        }
    }
}

/// What a record does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Put,
    PutNew,
    Remove,
}

/// A change as its bytes say it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) verb: Verb,
    /// Table and key: a [`Place`].
    pub(crate) place: &'a [u8],
    pub(crate) value: &'a [u8],
}

/// The records of a buffer; an error, which is the last item, gives the offset of the first that is none.
#[derive(Clone, Debug)]
pub(crate) struct Records<'a> {
    rest: &'a [u8],
    len: usize,
}

impl<'a> Records<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            len: bytes.len(),
        }
    }

    /// Bytes of the records taken so far: the offset of the next one.
    pub(crate) fn offset(&self) -> usize {
        self.len - self.rest.len()
    }

    fn first(&self) -> Option<(Record<'a>, &'a [u8])> {
        let ([verb, k0, k1, v0, v1, v2, v3], rest) = self.rest.split_first_chunk::<HEAD_BYTES>()?;
        let verb = match *verb {
            PUT => Verb::Put,
            PUT_NEW => Verb::PutNew,
            REMOVE => Verb::Remove,
            _ => return None,
        };
        let key_len = usize::from(u16::from_le_bytes([*k0, *k1]));
        let value_len = usize::try_from(u32::from_le_bytes([*v0, *v1, *v2, *v3])).ok()?;
        let (place, rest) = rest.split_at_checked(1 + key_len)?;
        let (value, rest) = rest.split_at_checked(value_len)?;
        Some((Record { verb, place, value }, rest))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, usize>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some((record, rest)) = self.first() else {
            let offset = self.offset();
            self.rest = &[];
            return Some(Err(offset));
        };
        self.rest = rest;
        Some(Ok(record))
    }
}

const INLINE_BYTES: usize = 30;

/// Table and key as one string of bytes, without an allocation if it is short.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Short(Short),
    Long(Box<[u8]>),
}

/// Bytes, zeros behind them, and their number at the end: whole words that order as the bytes do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Short([u8; INLINE_BYTES + 1]);

impl Short {
    fn new(table: Table, key: &[u8]) -> Option<Self> {
        let mut bytes = [0; INLINE_BYTES + 1];
        let len = key.len() + 1;
        match &mut bytes {
            [first, rest @ .., last] if len <= INLINE_BYTES => {
                *first = table.0;
                rest.get_mut(..key.len())?.copy_from_slice(key);
                *last = u8::try_from(len).ok()?;
                Some(Self(bytes))
            }
            _ => None,
        }
    }

    fn as_bytes(&self) -> &[u8] {
        let [bytes @ .., len] = &self.0;
        bytes.get(..usize::from(*len)).unwrap_or_default()
    }

    /// Sixteen bytes from a place on.
    #[inline]
    fn word<const AT: usize>(&self) -> u128 {
        let word = self.0.get(AT..).and_then(<[u8]>::first_chunk);
        word.map_or(0, |word| u128::from_be_bytes(*word))
    }
}

impl Ord for Short {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        // Two words of sixteen bytes that overlap in one: the search in the map lives on this being short.
        let (one, two) = (self.word::<0>(), other.word::<0>());
        if one != two {
            return one.cmp(&two);
        }
        self.word::<15>().cmp(&other.word::<15>())
    }
}

impl PartialOrd for Short {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Place {
    pub(crate) fn new(table: Table, key: &[u8]) -> Self {
        if let Some(short) = Short::new(table, key) {
            return Self::Short(short);
        }
        let mut long = Vec::with_capacity(key.len() + 1);
        long.push(table.0);
        long.extend_from_slice(key);
        Self::Long(long.into())
    }

    pub(crate) fn from_bytes(place: &[u8]) -> Self {
        let (table, key) = table_and_key(place);
        Self::new(table, key)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short(short) => short.as_bytes(),
            Self::Long(bytes) => bytes,
        }
    }

    pub(crate) fn table(&self) -> Table {
        table_and_key(self.as_bytes()).0
    }

    /// Bytes outside of the value itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Short(_) => 0,
            Self::Long(bytes) => bytes.len(),
        }
    }

    /// The key without its table.
    pub(crate) fn key(&self) -> &[u8] {
        table_and_key(self.as_bytes()).1
    }
}

fn table_and_key(place: &[u8]) -> (Table, &[u8]) {
    match place {
        [table, key @ ..] => (Table(*table), key),
        [] => (Table(0), &[]),
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_bytes().fmt(f)
    }
}

impl Ord for Place {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Short(one), Self::Short(other)) => one.cmp(other),
            (one, other) => one.as_bytes().cmp(other.as_bytes()),
        }
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests;
