//! The way from block to block through one segment.

use std::io;

use bytes::Bytes;

use super::format::{BLOCK_HEAD_BYTES, BLOCK_MAGIC, BlockHead, SEGMENT_HEAD_BYTES, checksum};
use super::medium::MediumFile;

const READ_BYTES: usize = 256 << 10;

/// What comes next.
pub(super) enum Step {
    /// A valid block.
    Block {
        head: BlockHead,
        offset: u64,
        /// The block with its head.
        bytes: Bytes,
    },
    /// Nothing but zeros to the end.
    End,
    /// Something that is no block.
    Bad { offset: u64, what: &'static str },
}

/// Reads one segment forwards.
pub(super) struct Walk<'a> {
    file: &'a dyn MediumFile,
    bytes: u64,
    seed: u32,
    offset: u64,
    /// A part of the file, read ahead.
    buffer: Vec<u8>,
    buffer_offset: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(file: &'a dyn MediumFile, bytes: u64, seed: u32) -> Self {
        Self {
            file,
            bytes,
            seed,
            offset: SEGMENT_HEAD_BYTES as u64,
            buffer: Vec::new(),
            buffer_offset: 0,
        }
    }

    /// Where the valid blocks so far end.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn step(&mut self) -> io::Result<Step> {
        let offset = self.offset;
        let bad = |what| Ok(Step::Bad { offset, what });
        let seed = self.seed;
        let begin = self.read(BLOCK_HEAD_BYTES)?;
        if !begin.starts_with(&BLOCK_MAGIC) {
            return match is_zero_from(self.file, offset)? {
                true => Ok(Step::End),
                false => bad("there is no block where one belongs"),
            };
        }
        let Some(head) = begin.first_chunk().and_then(|head| BlockHead::decode(head, seed)) else {
            return bad("the head of the block is wrong");
        };
        let len = BLOCK_HEAD_BYTES.saturating_add(usize::try_from(head.payload_bytes).unwrap_or(usize::MAX));
        if offset.saturating_add(len as u64) > self.bytes {
            return bad("the block reaches beyond the end of the file");
        }
        let block = self.read(len)?;
        let Some(payload) = block.get(BLOCK_HEAD_BYTES..len) else {
            return bad("the block is cut short");
        };
        if checksum(seed, payload) != head.payload_checksum {
            return bad("the checksum of the block is wrong");
        }
        let bytes = Bytes::copy_from_slice(block);
        self.offset += len as u64;
        Ok(Step::Block { head, offset, bytes })
    }

    /// That many bytes from the present offset, or fewer at the end of the file.
    fn read(&mut self, len: usize) -> io::Result<&[u8]> {
        let start = usize::try_from(self.offset.wrapping_sub(self.buffer_offset)).unwrap_or(usize::MAX);
        let is_there = start.checked_add(len).is_some_and(|end| end <= self.buffer.len());
        let start = if is_there {
            start
        } else {
            self.buffer = read_from(self.file, self.offset, len.max(READ_BYTES))?;
            self.buffer_offset = self.offset;
            0
        };
        let end = (start + len).min(self.buffer.len());
        Ok(self.buffer.get(start..end).unwrap_or_default())
    }
}

/// At most that many bytes from an offset.
pub(super) fn read_from(file: &dyn MediumFile, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let left = usize::try_from(file.bytes()?.saturating_sub(offset)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; left.min(len)];
    let mut filled = 0;
    while let Some(rest @ [_, ..]) = bytes.get_mut(filled..) {
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Whether a file holds nothing but zeros from an offset on.
pub(super) fn is_zero_from(file: &dyn MediumFile, mut offset: u64) -> io::Result<bool> {
    loop {
        let bytes = read_from(file, offset, READ_BYTES)?;
        if bytes.is_empty() {
            return Ok(true);
        }
        if bytes.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        offset += bytes.len() as u64;
    }
}
