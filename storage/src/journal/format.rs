//! The bytes of a segment file, format version 1. Numbers are little-endian, checksums are CRC-32C.
//!
//! ```text
//! segment   head, blocks one behind the other, zeros to the end
//! head      magic 8, version u32, shard u32, journal u64, segment number u64, checksum u32
//! block     magic 4, payload length u32, sequence u64, store time u64, number u64, synced u64, tail u64,
//!           checksum of the payload u32, checksum of this head u32, payload: the records of whole batches
//! ```
//!
//! `journal` is drawn when the journal begins and seeds all checksums of blocks: what a client sends in a payload can
//! never pass for a block. `synced` is the highest sequence that was known to be on the medium when the block was
//! written: it tells a tail that tore from damage. `tail` is the number of the oldest segment that was still needed.

use bytes::{Buf, BufMut};

pub(crate) const VERSION: u32 = 1;
pub(crate) const SEGMENT_HEAD_BYTES: usize = 36;
pub(crate) const BLOCK_HEAD_BYTES: usize = 56;
pub(crate) const BLOCK_MAGIC: [u8; 4] = *b"SwBk";
const SEGMENT_MAGIC: [u8; 8] = *b"StrowJnl";
const SUFFIX: &str = ".log";

/// The name of a segment's file.
pub(crate) fn segment_name(number: u64) -> String {
    format!("{number:016x}{SUFFIX}")
}

/// The number of a segment by the name of its file; none if it is the name of something else.
pub(crate) fn segment_number(name: &str) -> Option<u64> {
    let number = u64::from_str_radix(name.strip_suffix(SUFFIX)?, 16).ok()?;
    (segment_name(number) == name).then_some(number)
}

/// What stands at the beginning of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHead {
    pub(crate) shard: u32,
    pub(crate) journal: u64,
    pub(crate) number: u64,
}

/// What is wrong with the beginning of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadHead {
    Damaged,
    Version(u32),
}

impl SegmentHead {
    pub(crate) fn encode(self) -> [u8; SEGMENT_HEAD_BYTES] {
        let mut bytes = [0; SEGMENT_HEAD_BYTES];
        let mut out = bytes.as_mut_slice();
        out.put_slice(&SEGMENT_MAGIC);
        out.put_u32_le(VERSION);
        out.put_u32_le(self.shard);
        out.put_u64_le(self.journal);
        out.put_u64_le(self.number);
        seal(&mut bytes, 0);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; SEGMENT_HEAD_BYTES]) -> Result<Self, BadHead> {
        let mut from = bytes.as_slice();
        if from.split_off(..SEGMENT_MAGIC.len()) != Some(SEGMENT_MAGIC.as_slice()) {
            return Err(BadHead::Damaged);
        }
        let version = from.get_u32_le();
        if version != VERSION {
            return Err(BadHead::Version(version));
        }
        if !is_sealed(bytes, 0) {
            return Err(BadHead::Damaged);
        }
        Ok(Self {
            shard: from.get_u32_le(),
            journal: from.get_u64_le(),
            number: from.get_u64_le(),
        })
    }
}

/// What stands before the records of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockHead {
    pub(crate) payload_bytes: u32,
    pub(crate) sequence: u64,
    pub(crate) stamp: Stamp,
    pub(crate) synced: u64,
    pub(crate) tail: u64,
    pub(crate) payload_checksum: u32,
}

/// What the owner of a store wants to know again after a restart. Neither ever goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// The store's time in milliseconds.
    pub time_ms: u64,
    /// A number that is at least as high as each that the owner gave out, such as the ids of sessions and messages.
    pub number: u64,
}

impl Stamp {
    /// The higher of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            time_ms: self.time_ms.max(other.time_ms),
            number: self.number.max(other.number),
        }
    }
}

impl BlockHead {
    pub(crate) fn encode(&self, seed: u32) -> [u8; BLOCK_HEAD_BYTES] {
        let mut bytes = [0; BLOCK_HEAD_BYTES];
        let mut out = bytes.as_mut_slice();
        out.put_slice(&BLOCK_MAGIC);
        out.put_u32_le(self.payload_bytes);
        out.put_u64_le(self.sequence);
        out.put_u64_le(self.stamp.time_ms);
        out.put_u64_le(self.stamp.number);
        out.put_u64_le(self.synced);
        out.put_u64_le(self.tail);
        out.put_u32_le(self.payload_checksum);
        seal(&mut bytes, seed);
        bytes
    }

    /// None if these are not the bytes of a head: another begins with [`BLOCK_MAGIC`] or has a wrong checksum.
    pub(crate) fn decode(bytes: &[u8; BLOCK_HEAD_BYTES], seed: u32) -> Option<Self> {
        let mut from = bytes.as_slice();
        if from.split_off(..BLOCK_MAGIC.len()) != Some(BLOCK_MAGIC.as_slice()) || !is_sealed(bytes, seed) {
            return None;
        }
        Some(Self {
            payload_bytes: from.get_u32_le(),
            sequence: from.get_u64_le(),
            stamp: Stamp {
                time_ms: from.get_u64_le(),
                number: from.get_u64_le(),
            },
            synced: from.get_u64_le(),
            tail: from.get_u64_le(),
            payload_checksum: from.get_u32_le(),
        })
    }
}

/// What the checksums of a journal's blocks begin with.
pub(crate) fn seed(journal: u64) -> u32 {
    crc32c::crc32c(&journal.to_le_bytes())
}

pub(crate) fn checksum(seed: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(seed, bytes)
}

/// Puts the checksum of what stands before into the last four bytes.
fn seal(bytes: &mut [u8], seed: u32) {
    if let Some((content, last)) = bytes.split_last_chunk_mut::<4>() {
        *last = checksum(seed, content).to_le_bytes();
    }
}

fn is_sealed(bytes: &[u8], seed: u32) -> bool {
    bytes
        .split_last_chunk::<4>()
        .is_some_and(|(content, last)| *last == checksum(seed, content).to_le_bytes())
}
