//! The fixed parts of a backup as bytes.

use bytes::{Buf, BufMut};

use super::{BackupHead, BackupTotals};
use crate::Stamp;

pub(super) const VERSION: u32 = 1;
pub(super) const MAGIC_BYTES: usize = 4;
pub(super) const HEAD_BYTES: usize = 48;
pub(super) const BLOCK_HEAD_BYTES: usize = 24;
pub(super) const TRAILER_BYTES: usize = 32;
pub(super) const BLOCK_MAGIC: [u8; MAGIC_BYTES] = *b"SwBu";
pub(super) const TRAILER_MAGIC: [u8; MAGIC_BYTES] = *b"SwEn";
const HEAD_MAGIC: [u8; 8] = *b"StrowBak";

/// What is wrong with the head of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadHead {
    Foreign,
    Damaged,
    Version(u32),
}

/// What stands before the records of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockHead {
    pub(super) payload_bytes: u32,
    pub(super) sequence: u64,
    pub(super) payload_checksum: u32,
}

pub(super) fn encode_head(head: BackupHead, id: u64) -> [u8; HEAD_BYTES] {
    let mut bytes = [0; HEAD_BYTES];
    let mut out = bytes.as_mut_slice();
    out.put_slice(&HEAD_MAGIC);
    out.put_u32_le(VERSION);
    out.put_u64_le(id);
    out.put_u64_le(head.made_at_ms);
    out.put_u64_le(head.stamp.time_ms);
    out.put_u64_le(head.stamp.number);
    seal(&mut bytes, 0);
    bytes
}

pub(super) fn decode_head(bytes: &[u8; HEAD_BYTES]) -> Result<BackupHead, BadHead> {
    let mut from = bytes.as_slice();
    if from.split_off(..HEAD_MAGIC.len()) != Some(HEAD_MAGIC.as_slice()) {
        return Err(BadHead::Foreign);
    }
    let version = from.get_u32_le();
    if version != VERSION {
        return Err(BadHead::Version(version));
    }
    if !is_sealed(bytes, 0) {
        return Err(BadHead::Damaged);
    }
    let _id = from.get_u64_le();
    Ok(BackupHead {
        made_at_ms: from.get_u64_le(),
        stamp: Stamp {
            time_ms: from.get_u64_le(),
            number: from.get_u64_le(),
        },
    })
}

impl BlockHead {
    pub(super) fn encode(self, seed: u32) -> [u8; BLOCK_HEAD_BYTES] {
        let mut bytes = [0; BLOCK_HEAD_BYTES];
        let mut out = bytes.as_mut_slice();
        out.put_slice(&BLOCK_MAGIC);
        out.put_u32_le(self.payload_bytes);
        out.put_u64_le(self.sequence);
        out.put_u32_le(self.payload_checksum);
        seal(&mut bytes, seed);
        bytes
    }

    pub(super) fn decode(bytes: &[u8; BLOCK_HEAD_BYTES], seed: u32) -> Option<Self> {
        let mut from = bytes.get(MAGIC_BYTES..).filter(|_| is_sealed(bytes, seed))?;
        Some(Self {
            payload_bytes: from.get_u32_le(),
            sequence: from.get_u64_le(),
            payload_checksum: from.get_u32_le(),
        })
    }
}

pub(super) fn encode_trailer(totals: BackupTotals, seed: u32) -> [u8; TRAILER_BYTES] {
    let mut bytes = [0; TRAILER_BYTES];
    let mut out = bytes.as_mut_slice();
    out.put_slice(&TRAILER_MAGIC);
    out.put_u64_le(totals.blocks);
    out.put_u64_le(totals.records);
    out.put_u64_le(totals.bytes);
    seal(&mut bytes, seed);
    bytes
}

pub(super) fn decode_trailer(bytes: &[u8; TRAILER_BYTES], seed: u32) -> Option<BackupTotals> {
    let mut from = bytes.get(MAGIC_BYTES..).filter(|_| is_sealed(bytes, seed))?;
    Some(BackupTotals {
        blocks: from.get_u64_le(),
        records: from.get_u64_le(),
        bytes: from.get_u64_le(),
    })
}

/// What the checksums behind a head begin with. Without the head's own checksum: over it, all heads have the same.
pub(super) fn seed(head: &[u8; HEAD_BYTES]) -> u32 {
    head.split_last_chunk::<4>()
        .map_or(0, |(content, _)| crc32c::crc32c(content))
}

/// Puts the checksum of what stands before into the last four bytes.
fn seal(bytes: &mut [u8], seed: u32) {
    if let Some((content, last)) = bytes.split_last_chunk_mut::<4>() {
        *last = crc32c::crc32c_append(seed, content).to_le_bytes();
    }
}

fn is_sealed(bytes: &[u8], seed: u32) -> bool {
    bytes
        .split_last_chunk::<4>()
        .is_some_and(|(content, last)| *last == crc32c::crc32c_append(seed, content).to_le_bytes())
}
