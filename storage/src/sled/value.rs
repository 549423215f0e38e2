//! How a value lies in sled: inline, or as chunks under keys of their own.

use std::ops::Bound;

use crate::shelf::Range;

/// The longest value that is kept whole, and the length of a chunk.
///
/// sled keeps up to 17 values in one node and writes the node as a file of its own from 4 MiB on.
pub(super) const CHUNK_BYTES: usize = 32 << 10;

const ENTRY: u8 = 0;
const CHUNK: u8 = 1;
const INLINE: u8 = 0;
const CHUNKED: u8 = 1;

/// The value of an entry as sled has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Form<'a> {
    /// The value itself.
    Inline(&'a [u8]),
    /// So many chunks, which are so many bytes together.
    Chunked { chunks: u32, bytes: usize },
}

impl<'a> Form<'a> {
    pub(super) fn of(stored: &'a [u8]) -> Option<Self> {
        match stored {
            [INLINE, value @ ..] => Some(Self::Inline(value)),
            [CHUNKED, b0, b1, b2, b3] => {
                let bytes = usize::try_from(u32::from_be_bytes([*b0, *b1, *b2, *b3])).ok()?;
                let chunks = u32::try_from(bytes.div_ceil(CHUNK_BYTES)).ok()?;
                Some(Self::Chunked { chunks, bytes })
            }
            _ => None,
        }
    }

    pub(super) fn chunks(&self) -> u32 {
        match self {
            Self::Inline(_) => 0,
            Self::Chunked { chunks, .. } => *chunks,
        }
    }
}

pub(super) fn entry_key(place: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + place.len());
    key.push(ENTRY);
    key.extend_from_slice(place);
    key
}

/// The length stands before the place, so that no place is the beginning of another.
pub(super) fn chunk_key(place: &[u8], chunk: u32) -> Vec<u8> {
    let mut key = Vec::with_capacity(7 + place.len());
    key.push(CHUNK);
    key.extend_from_slice(&u16::try_from(place.len()).unwrap_or(u16::MAX).to_be_bytes());
    key.extend_from_slice(place);
    key.extend_from_slice(&chunk.to_be_bytes());
    key
}

pub(super) fn place_of(entry_key: &[u8]) -> Option<&[u8]> {
    match entry_key {
        [ENTRY, place @ ..] => Some(place),
        _ => None,
    }
}

/// The entries of a range of places, without the chunks behind them.
pub(super) fn entry_range((start, end): Range) -> Range {
    let inside = |bound: Bound<Vec<u8>>, open: Bound<Vec<u8>>| match bound {
        Bound::Included(place) => Bound::Included(entry_key(&place)),
        Bound::Excluded(place) => Bound::Excluded(entry_key(&place)),
        Bound::Unbounded => open,
    };
    (
        inside(start, Bound::Included(vec![ENTRY])),
        inside(end, Bound::Excluded(vec![CHUNK])),
    )
}

/// A batch of sled's while it is put together.
#[derive(Debug, Default)]
pub(super) struct Writes {
    batch: ::sled::Batch,
}

impl Writes {
    /// Puts a value, or removes it, over one that has `old_chunks` chunks.
    pub(super) fn change(&mut self, place: &[u8], value: Option<&[u8]>, old_chunks: u32) {
        let mut chunks = 0;
        match value {
            None => self.batch.remove(entry_key(place)),
            Some(value) if value.len() <= CHUNK_BYTES => {
                let mut stored = Vec::with_capacity(1 + value.len());
                stored.push(INLINE);
                stored.extend_from_slice(value);
                self.batch.insert(entry_key(place), stored);
            }
            Some(value) => {
                let bytes = u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes();
                let [b0, b1, b2, b3] = bytes;
                self.batch.insert(entry_key(place), &[CHUNKED, b0, b1, b2, b3]);
                for chunk in value.chunks(CHUNK_BYTES) {
                    self.batch.insert(chunk_key(place, chunks), chunk);
                    chunks += 1;
                }
            }
        }
        for chunk in chunks..old_chunks {
            self.batch.remove(chunk_key(place, chunk));
        }
    }

    pub(super) fn into_batch(self) -> ::sled::Batch {
        self.batch
    }
}
