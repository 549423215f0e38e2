//! The blocks that entries of the overlay point into, kept while one does.

use std::collections::VecDeque;

use bytes::Bytes;

use super::Slot;
use crate::journal::format::BLOCK_HEAD_BYTES;

/// What a place in the list of blocks takes, in bytes.
const BLOCK_COST: usize = size_of::<Block>();
/// From here on a block is handed over when it is sealed, not copied.
const HAND_OVER_BYTES: usize = 128 << 10;

/// A block that was written.
#[derive(Debug)]
struct Block {
    bytes: Bytes,
    /// Entries that point into it.
    live: u32,
}

/// Blocks with consecutive sequences, the last of which still grows.
#[derive(Debug)]
pub(super) struct Blocks {
    sealed: VecDeque<Block>,
    /// Sequence of the first sealed block, or of the open one.
    first: u64,
    /// The open block: room for its head, then records.
    open: Vec<u8>,
    open_live: u32,
    sealed_bytes: usize,
}

impl Blocks {
    pub(super) fn new(next: u64) -> Self {
        Self {
            sealed: VecDeque::new(),
            first: next,
            open: vec![0; BLOCK_HEAD_BYTES],
            open_live: 0,
            sealed_bytes: 0,
        }
    }

    /// Bytes that are kept.
    pub(super) fn bytes(&self) -> usize {
        self.sealed_bytes + self.sealed.len() * BLOCK_COST + self.open.len()
    }

    /// Sequence of the open block.
    pub(super) fn open_sequence(&self) -> u64 {
        self.first + self.sealed.len() as u64
    }

    pub(super) fn open(&self) -> &[u8] {
        &self.open
    }

    pub(super) fn open_mut(&mut self) -> &mut Vec<u8> {
        &mut self.open
    }

    /// Adds a block that was read, which becomes the last sealed one. It is held once, to be released when its entries
    /// are in.
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.sealed_bytes += bytes.len();
        self.sealed.push_back(Block { bytes, live: 1 });
    }

    /// Closes the open block, which was written, and begins the next.
    pub(super) fn seal(&mut self) {
        let bytes = match self.open_live {
            0 => Bytes::new(),
            _ if self.open.len() >= HAND_OVER_BYTES => {
                self.open.shrink_to_fit();
                Bytes::from(std::mem::take(&mut self.open))
            }
            _ => Bytes::copy_from_slice(&self.open),
        };
        self.sealed_bytes += bytes.len();
        let live = std::mem::take(&mut self.open_live);
        self.sealed.push_back(Block { bytes, live });
        self.open.resize(BLOCK_HEAD_BYTES, 0);
        self.pop_dead();
    }

    /// Counts an entry that points into its block.
    pub(super) fn hold(&mut self, slot: Slot) {
        if let Some(live) = self.live_mut(slot) {
            *live += 1;
        }
    }

    /// Takes back one [`Blocks::hold`].
    pub(super) fn release(&mut self, slot: Slot) {
        let Some(live) = self.live_mut(slot) else { return };
        *live -= 1;
        if *live > 0 || slot.block == self.open_sequence() {
            return;
        }
        if let Some(block) = self.index(slot.block).and_then(|index| self.sealed.get_mut(index)) {
            self.sealed_bytes -= block.bytes.len();
            block.bytes = Bytes::new();
        }
        self.pop_dead();
    }

    fn pop_dead(&mut self) {
        while let Some(dead) = self.sealed.pop_front_if(|block| block.live == 0) {
            self.sealed_bytes -= dead.bytes.len();
            self.first += 1;
        }
    }

    pub(super) fn value(&self, slot: Slot) -> Bytes {
        let start = slot.offset as usize;
        let range = start..start + slot.len as usize;
        if slot.block == self.open_sequence() {
            return Bytes::copy_from_slice(self.open.get(range).unwrap_or_default());
        }
        let block = self.index(slot.block).and_then(|index| self.sealed.get(index));
        block
            .filter(|block| range.end <= block.bytes.len())
            .map(|block| block.bytes.slice(range))
            .unwrap_or_default()
    }

    /// The bytes of a value, without a count of references.
    pub(super) fn value_bytes(&self, slot: Slot) -> &[u8] {
        let start = slot.offset as usize;
        let range = start..start + slot.len as usize;
        let bytes = match self.index(slot.block).and_then(|index| self.sealed.get(index)) {
            Some(block) => &block.bytes,
            None => self.open.as_slice(),
        };
        bytes.get(range).unwrap_or_default()
    }

    fn live_mut(&mut self, slot: Slot) -> Option<&mut u32> {
        if slot.block == self.open_sequence() {
            return Some(&mut self.open_live);
        }
        let index = self.index(slot.block)?;
        self.sealed.get_mut(index).map(|block| &mut block.live)
    }

    fn index(&self, block: u64) -> Option<usize> {
        usize::try_from(block.checked_sub(self.first)?).ok()
    }
}
