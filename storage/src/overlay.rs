//! What the journal holds and the engine does not yet, in memory and in order.
//!
//! One map from a place to its last change. An entry remembers the block that its change is written in: entries whose
//! block is in the oldest segment are the ones to settle, and the segment may go when none of them is left. A value is
//! a slice of its block, and a block is kept while an entry points into it.
//!
//! An entry is *bare* if the engine holds nothing at its place. Removing a bare entry leaves nothing, so most messages
//! never reach the engine; removing another leaves a tombstone, which hides what is below until it has settled.
//!
//! ```text
//!              freeze            thaw                last entry merged
//!   one map ------------> top ---------> top shrinks ------------------> one map
//!     base              over base         into base                        base
//! ```
//!
//! While it is frozen `base` does not change: with the engine, which is not written then, it is one instant.

mod blocks;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;
use std::iter::Peekable;
use std::ops::Bound;

use bytes::Bytes;

use crate::Batch;
use crate::batch::{Place, Records, Verb};
use crate::journal::format::BLOCK_HEAD_BYTES;
use blocks::Blocks;

/// What an entry takes beside its value, in bytes: its share of a node of the map that is two thirds full.
const ENTRY_COST: usize = (size_of::<Place>() + size_of::<Entry>()) * 3 / 2;

/// Where a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Sequence of the block.
    block: u64,
    /// Where in the block, its head included.
    offset: u32,
    len: u32,
}

/// The last change of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where the change is written; for a tombstone only the block counts.
    slot: Slot,
    is_tombstone: bool,
    is_bare: bool,
}

type Map = BTreeMap<Place, Entry>;

/// What is over the base.
#[derive(Debug)]
enum Top {
    None,
    Frozen(Map),
    Thawing(Map),
}

/// The changes of the journal's segments.
#[derive(Debug)]
pub(crate) struct Overlay {
    base: Map,
    top: Top,
    blocks: Blocks,
    /// Bytes of keys that lie outside of the map.
    key_bytes: usize,
}

/// What the overlay knows of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Value(Bytes),
    Removed,
    Nothing,
}

impl Overlay {
    /// An empty one, whose first block will have that sequence.
    pub(crate) fn new(next: u64) -> Self {
        Self {
            base: Map::new(),
            top: Top::None,
            blocks: Blocks::new(next),
            key_bytes: 0,
        }
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        let entries = self.base.len() + self.top().map_or(0, Map::len);
        entries * ENTRY_COST + self.key_bytes + self.blocks.bytes()
    }

    /// Bytes of the blocks that entries point into.
    pub(crate) fn value_bytes(&self) -> usize {
        self.blocks.bytes()
    }

    /// Entries.
    pub(crate) fn len(&self) -> usize {
        self.base.len() + self.top().map_or(0, Map::len)
    }

    fn top(&self) -> Option<&Map> {
        match &self.top {
            Top::None => None,
            Top::Frozen(map) | Top::Thawing(map) => Some(map),
        }
    }

    /// Takes the changes of a batch into the open block.
    pub(crate) fn apply(&mut self, batch: &Batch) {
        let start = self.blocks.open().len();
        self.blocks.open_mut().extend_from_slice(batch.records());
        self.take(batch.records(), start, self.blocks.open_sequence(), true);
    }

    /// Takes a block of the journal, head included. What its records say of new keys held when they were written and
    /// need not hold any more: a crash can have left the engine ahead of them.
    pub(crate) fn replay(&mut self, sequence: u64, block: Bytes) {
        if self.blocks.open_sequence() != sequence {
            self.blocks = Blocks::new(sequence);
        }
        self.blocks.push(block.clone());
        self.take(
            block.get(BLOCK_HEAD_BYTES..).unwrap_or_default(),
            BLOCK_HEAD_BYTES,
            sequence,
            false,
        );
        self.blocks.release(Slot {
            block: sequence,
            offset: 0,
            len: 0,
        });
    }

    fn take(&mut self, bytes: &[u8], start: usize, block: u64, believes_new: bool) {
        let mut records = Records::new(bytes);
        while let Some(Ok(record)) = records.next() {
            let end = start + records.offset();
            let slot = Slot {
                block,
                offset: u32::try_from(end - record.value.len()).unwrap_or(u32::MAX),
                len: u32::try_from(record.value.len()).unwrap_or(u32::MAX),
            };
            let entry = Entry {
                slot,
                is_tombstone: record.verb == Verb::Remove,
                is_bare: believes_new && record.verb == Verb::PutNew,
            };
            let place = Place::from_bytes(record.place);
            let map = match &mut self.top {
                Top::None => &mut self.base,
                Top::Frozen(top) => top,
                Top::Thawing(top) => {
                    if let Some(older) = top.remove(&place) {
                        self.key_bytes -= place.heap_bytes();
                        put(
                            &mut self.base,
                            &mut self.key_bytes,
                            &mut self.blocks,
                            place.clone(),
                            older,
                        );
                        self.blocks.give_up(older);
                    }
                    &mut self.base
                }
            };
            put(map, &mut self.key_bytes, &mut self.blocks, place, entry);
        }
    }

    /// The block that is to be written next, unless it has no records.
    pub(crate) fn open_block(&mut self) -> Option<&mut [u8]> {
        let block = self.blocks.open_mut();
        (block.len() > BLOCK_HEAD_BYTES).then_some(block)
    }

    /// The same even without records.
    pub(crate) fn open_block_or_empty(&mut self) -> &mut [u8] {
        self.blocks.open_mut()
    }

    /// Bytes of the open block with its head.
    pub(crate) fn open_bytes(&self) -> usize {
        self.blocks.open().len()
    }

    /// The open block was written.
    pub(crate) fn seal(&mut self) {
        self.blocks.seal();
    }

    /// What is known of a place.
    pub(crate) fn get(&self, place: &Place) -> Known {
        let top = self.top().and_then(|top| top.get(place));
        top.or_else(|| self.base.get(place))
            .map_or(Known::Nothing, |entry| self.known(entry))
    }

    fn known(&self, entry: &Entry) -> Known {
        match entry.is_tombstone {
            true => Known::Removed,
            false => Known::Value(self.blocks.value(entry.slot)),
        }
    }

    /// What is known of the places behind one, in order; of what is frozen alone if asked.
    pub(crate) fn range(&self, from: Bound<Place>, frozen: bool) -> Range<'_> {
        let top = self.top().filter(|_| !frozen);
        Range {
            overlay: self,
            top: top.map(|top| top.range((from.clone(), Bound::Unbounded)).peekable()),
            base: self.base.range((from, Bound::Unbounded)).peekable(),
        }
    }

    /// Whether all is in one map, so that what is old may settle.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.top, Top::None)
    }

    /// Whether a freeze is under way.
    pub(crate) fn is_frozen(&self) -> bool {
        matches!(self.top, Top::Frozen(_))
    }

    /// Leaves the base as it is until [`Overlay::thaw`]; false if the last freeze is not over.
    pub(crate) fn freeze(&mut self) -> bool {
        let is_whole = self.is_whole();
        if is_whole {
            self.top = Top::Frozen(Map::new());
        }
        is_whole
    }

    /// Lets the base change again.
    pub(crate) fn thaw(&mut self) {
        self.top = match std::mem::replace(&mut self.top, Top::None) {
            Top::None => Top::None,
            Top::Frozen(map) | Top::Thawing(map) => Top::Thawing(map),
        };
    }

    /// Whether a freeze is over and its top not yet merged.
    pub(crate) fn is_thawing(&self) -> bool {
        matches!(self.top, Top::Thawing(_))
    }

    /// Moves some entries from the top into the base: it is all in memory, so four times of what settling would move.
    pub(crate) fn merge(&mut self, budget: Budget) {
        let Top::Thawing(top) = &mut self.top else { return };
        for _ in 0..budget.entries * 4 {
            let Some((place, entry)) = top.pop_first() else { break };
            self.key_bytes -= place.heap_bytes();
            put(&mut self.base, &mut self.key_bytes, &mut self.blocks, place, entry);
            self.blocks.give_up(entry);
        }
        if top.is_empty() {
            self.top = Top::None;
        }
    }

    /// Puts what is written up to a block into a batch for the engine, behind a cursor and up to a budget. Gives the
    /// next cursor, or none when all is through.
    pub(crate) fn collect(
        &mut self,
        cursor: Cursor,
        through: u64,
        budget: Budget,
        batch: &mut Batch,
    ) -> Option<Cursor> {
        let mut visits = 0;
        for (place, entry) in self.base.range_mut((cursor.bound(), Bound::Unbounded)) {
            visits += 1;
            if entry.slot.block <= through {
                // From here on the engine may hold something there.
                entry.is_bare = false;
                match entry.is_tombstone {
                    true => batch.remove(place.table(), place.key()),
                    false => batch.put(place.table(), place.key(), self.blocks.value_bytes(entry.slot)),
                };
            }
            if visits >= budget.visits() || batch.len() >= budget.entries || batch.bytes() >= budget.bytes {
                return Some(Cursor(Some(place.clone())));
            }
        }
        None
    }

    /// Forgets what is written up to a block, since the engine has it for good. Cursor and budget as in
    /// [`Overlay::collect`].
    pub(crate) fn forget(&mut self, cursor: Cursor, through: u64, budget: Budget) -> Option<Cursor> {
        let mut settled = Vec::new();
        let mut next = None;
        for (visits, (place, entry)) in self.base.range((cursor.bound(), Bound::Unbounded)).enumerate() {
            if entry.slot.block <= through {
                settled.push(place.clone());
            }
            if visits + 1 >= budget.visits() || settled.len() >= budget.entries {
                next = Some(Cursor(Some(place.clone())));
                break;
            }
        }
        for place in settled {
            self.key_bytes -= place.heap_bytes();
            if let Some(entry) = self.base.remove(&place) {
                self.blocks.give_up(entry);
            }
        }
        next
    }
}

/// How much one slice of settling moves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
}

impl Budget {
    /// Entries that are looked at: passing one over is far cheaper than moving it.
    fn visits(self) -> usize {
        self.entries * 16
    }
}

/// How far a walk over the entries has come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor(Option<Place>);

impl Cursor {
    fn bound(self) -> Bound<Place> {
        self.0.map_or(Bound::Unbounded, Bound::Excluded)
    }
}

/// Puts an entry over what the map has at its place.
fn put(map: &mut Map, key_bytes: &mut usize, blocks: &mut Blocks, place: Place, entry: Entry) {
    blocks.keep(entry);
    match map.entry(place) {
        MapEntry::Vacant(vacant) => {
            *key_bytes += vacant.key().heap_bytes();
            vacant.insert(entry);
        }
        MapEntry::Occupied(mut occupied) => {
            let old = *occupied.get();
            blocks.give_up(old);
            if entry.is_tombstone && old.is_bare {
                *key_bytes -= occupied.key().heap_bytes();
                occupied.remove();
            } else {
                occupied.insert(Entry {
                    is_bare: old.is_bare,
                    ..entry
                });
            }
        }
    }
}

impl Blocks {
    fn keep(&mut self, entry: Entry) {
        if !entry.is_tombstone {
            self.hold(entry.slot);
        }
    }

    fn give_up(&mut self, entry: Entry) {
        if !entry.is_tombstone {
            self.release(entry.slot);
        }
    }
}

/// Entries in order, those of the top over those of the base.
pub(crate) struct Range<'a> {
    overlay: &'a Overlay,
    top: Option<Peekable<std::collections::btree_map::Range<'a, Place, Entry>>>,
    base: Peekable<std::collections::btree_map::Range<'a, Place, Entry>>,
}

impl<'a> Iterator for Range<'a> {
    type Item = (&'a Place, Known);

    fn next(&mut self) -> Option<Self::Item> {
        let base = self.base.peek().map(|(place, _)| *place);
        let top = self.top.as_mut().and_then(|top| top.peek().map(|(place, _)| *place));
        let takes_top = match (top, base) {
            (Some(top), Some(base)) => {
                if top == base {
                    self.base.next();
                }
                top <= base
            }
            (Some(_), None) => true,
            (None, _) => false,
        };
        let (place, entry) = match &mut self.top {
            Some(top) if takes_top => top.next()?,
            Some(_) | None => self.base.next()?,
        };
        Some((place, self.overlay.known(entry)))
    }
}
