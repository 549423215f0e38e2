//! Numbered places for values, in chunks.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

const CHUNK_BITS: u32 = 10;
const CHUNK: usize = 1 << CHUNK_BITS;

/// The number of a place; good in the arena that gave it out until the value is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(NonZeroU32);

impl Id {
    fn new(chunk: usize, slot: usize) -> Option<Self> {
        let number = u32::try_from(chunk * CHUNK + slot).ok()?.checked_add(1)?;
        NonZeroU32::new(number).map(Self)
    }

    fn chunk(self) -> usize {
        (self.0.get() - 1) as usize >> CHUNK_BITS
    }

    fn slot(self) -> usize {
        (self.0.get() - 1) as usize & (CHUNK - 1)
    }

    pub(super) fn number(self) -> u32 {
        self.0.get()
    }
}

/// A growable table that never moves what it holds: growth costs one chunk, not a copy of everything, and a chunk whose
/// last value leaves gives its memory back.
#[derive(Debug)]
pub(super) struct Arena<T> {
    chunks: Vec<Chunk<T>>,
    /// Chunks with room. The lowest is filled first, so that the high ones run empty.
    open: BTreeSet<usize>,
    len: usize,
}

#[derive(Debug)]
struct Chunk<T> {
    slots: Vec<Option<T>>,
    free: Vec<u16>,
}

impl<T> Chunk<T> {
    fn is_full(&self) -> bool {
        self.free.is_empty() && self.slots.len() == CHUNK
    }

    /// Puts `value` into a free slot and names it; the caller has made sure that there is one.
    fn put(&mut self, value: T) -> usize {
        if let Some(slot) = self.free.pop().map(usize::from) {
            if let Some(place) = self.slots.get_mut(slot) {
                *place = Some(value);
            }
            return slot;
        }
        self.slots.push(Some(value));
        self.slots.len() - 1
    }
}

impl<T> Arena<T> {
    pub(super) fn new() -> Self {
        Self {
            chunks: Vec::new(),
            open: BTreeSet::new(),
            len: 0,
        }
    }

    /// `None` when all 2^32 numbers are taken.
    pub(super) fn insert(&mut self, value: T) -> Option<Id> {
        let number = self.open.first().copied().unwrap_or(self.chunks.len());
        // The highest slot of this chunk must have a number too.
        Id::new(number, CHUNK - 1)?;
        if number == self.chunks.len() {
            self.chunks.push(Chunk {
                slots: Vec::new(),
                free: Vec::new(),
            });
            self.open.insert(number);
        }
        let chunk = self.chunks.get_mut(number)?;
        let slot = chunk.put(value);
        if chunk.is_full() {
            self.open.remove(&number);
        }
        self.len += 1;
        Id::new(number, slot)
    }

    pub(super) fn get(&self, id: Id) -> Option<&T> {
        self.chunks.get(id.chunk())?.slots.get(id.slot())?.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        self.chunks.get_mut(id.chunk())?.slots.get_mut(id.slot())?.as_mut()
    }

    pub(super) fn remove(&mut self, id: Id) -> Option<T> {
        let number = id.chunk();
        let chunk = self.chunks.get_mut(number)?;
        let value = chunk.slots.get_mut(id.slot())?.take()?;
        chunk.free.push(u16::try_from(id.slot()).ok()?);
        if chunk.free.len() == chunk.slots.len() {
            *chunk = Chunk {
                slots: Vec::new(),
                free: Vec::new(),
            };
        }
        self.open.insert(number);
        self.len -= 1;
        Some(value)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Slots that memory is held for.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.slots.capacity()).sum()
    }
}
