//! From the bytes of a backup to records, with all that can be checked checked.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::format::{
    self, BLOCK_HEAD_BYTES, BLOCK_MAGIC, BadHead, BlockHead, HEAD_BYTES, MAGIC_BYTES, TRAILER_BYTES, TRAILER_MAGIC,
};
use super::{BackupHead, BackupTotals};
use crate::batch::{Records, Verb};
use crate::record::Record;
use crate::shelf::failure;
use crate::{Batch, Change, StoreError};

/// Reads a backup forwards. What it has given out is sound; that the backup is whole, only its end says.
#[derive(Debug)]
pub struct BackupReader<R> {
    input: R,
    /// Where it comes from, for messages.
    file: PathBuf,
    offset: u64,
    seed: u32,
    head: BackupHead,
    totals: BackupTotals,
    /// Table and key of the last record.
    last: Vec<u8>,
}

impl<R: Read> BackupReader<R> {
    /// Reads the head. `file` is named in errors.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] or [`StoreError::Version`] if it is not the head of a backup; what the medium says.
    pub fn new(input: R, file: &Path) -> Result<Self, StoreError> {
        let mut reader = Self {
            input,
            file: file.to_owned(),
            offset: 0,
            seed: 0,
            head: BackupHead::default(),
            totals: BackupTotals::default(),
            last: Vec::new(),
        };
        let bytes: [u8; HEAD_BYTES] = reader.array(0)?;
        reader.head = format::decode_head(&bytes).map_err(|bad| match bad {
            BadHead::Version(found) => StoreError::Version {
                file: file.to_owned(),
                found,
                known: format::VERSION,
            },
            BadHead::Foreign => reader.damaged(0, "it is not a backup of this program"),
            BadHead::Damaged => reader.damaged(0, "the head of the backup is wrong"),
        })?;
        reader.seed = format::seed(&bytes);
        Ok(reader)
    }

    /// What the backup says of itself.
    #[must_use]
    pub fn head(&self) -> BackupHead {
        self.head
    }

    /// What was read so far.
    #[must_use]
    pub fn totals(&self) -> BackupTotals {
        self.totals
    }

    /// The input, for who wraps one around another.
    pub fn input_mut(&mut self) -> &mut R {
        &mut self.input
    }

    /// The input, read up to where the last block ended or to its end.
    pub fn into_inner(self) -> R {
        self.input
    }

    /// Puts the records of the next block into `batch`, in the place of what is there. `false`: that was the end, and
    /// the backup is whole.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] names what and where; what the medium says.
    pub fn next(&mut self, batch: &mut Batch) -> Result<bool, StoreError> {
        batch.clear();
        let start = self.offset;
        let magic: [u8; MAGIC_BYTES] = self.array(start)?;
        match magic {
            BLOCK_MAGIC => {
                let payload = self.payload(start)?;
                self.take(&payload, start, batch)?;
                Ok(true)
            }
            TRAILER_MAGIC => self.finish(start).map(|()| false),
            _ => Err(self.damaged(start, "there is no block where one belongs")),
        }
    }

    fn payload(&mut self, start: u64) -> Result<Vec<u8>, StoreError> {
        let head = self.rest::<BLOCK_HEAD_BYTES>(BLOCK_MAGIC, start)?;
        let Some(head) = BlockHead::decode(&head, self.seed) else {
            return Err(self.damaged(start, "the head of the block is wrong"));
        };
        if head.sequence != self.totals.blocks + 1 {
            return Err(self.damaged(start, "the block stands where another belongs"));
        }
        let mut payload = Vec::new();
        let wanted = u64::from(head.payload_bytes);
        let read = self.input.by_ref().take(wanted).read_to_end(&mut payload);
        read.map_err(|error| failure("read", &self.file, error))?;
        self.offset += payload.len() as u64;
        if payload.len() as u64 != wanted {
            return Err(self.cut());
        }
        if crc32c::crc32c_append(self.seed, &payload) != head.payload_checksum {
            return Err(self.damaged(start, "the checksum of the block is wrong"));
        }
        Ok(payload)
    }

    fn take(&mut self, payload: &[u8], start: u64, batch: &mut Batch) -> Result<(), StoreError> {
        for record in Records::new(payload) {
            let Some(record) = record.ok().filter(|record| record.verb == Verb::Put) else {
                return Err(self.damaged(start, "the block holds no records"));
            };
            if record.place <= self.last.as_slice() {
                return Err(self.damaged(start, "the records are not in order"));
            }
            self.last.clear();
            self.last.extend_from_slice(record.place);
            if let Change::Put { table, key, value } = Change::from(record) {
                Record::read(table, key, &Bytes::copy_from_slice(value))
                    .map_err(|fault| self.damaged(start, &fault.to_string()))?;
                batch.put(table, key, value);
            }
        }
        self.totals.blocks += 1;
        self.totals.records += batch.len() as u64;
        self.totals.bytes += payload.len() as u64;
        Ok(())
    }

    fn finish(&mut self, start: u64) -> Result<(), StoreError> {
        let trailer = self.rest::<TRAILER_BYTES>(TRAILER_MAGIC, start)?;
        match format::decode_trailer(&trailer, self.seed) {
            Some(totals) if totals == self.totals => {}
            Some(_) => return Err(self.damaged(start, "the trailer counts other records than those before it")),
            None => return Err(self.damaged(start, "the trailer of the backup is wrong")),
        }
        match self.fill(&mut [0])? {
            0 => Ok(()),
            _ => Err(self.damaged(self.offset, "something stands behind the trailer")),
        }
    }

    /// The rest of a fixed part whose magic was read, with its magic.
    fn rest<const N: usize>(&mut self, magic: [u8; MAGIC_BYTES], start: u64) -> Result<[u8; N], StoreError> {
        let mut bytes = [0; N];
        if let Some((front, rest)) = bytes.split_first_chunk_mut::<MAGIC_BYTES>() {
            *front = magic;
            self.expect(rest, start)?;
        }
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, start: u64) -> Result<[u8; N], StoreError> {
        let mut bytes = [0; N];
        self.expect(&mut bytes, start)?;
        Ok(bytes)
    }

    /// Fills all of it.
    fn expect(&mut self, bytes: &mut [u8], start: u64) -> Result<(), StoreError> {
        let wanted = bytes.len();
        match self.fill(bytes)? {
            filled if filled == wanted => {
                self.offset += wanted as u64;
                Ok(())
            }
            0 if start == 0 => Err(self.damaged(0, "the file is empty")),
            _ => Err(self.cut()),
        }
    }

    /// Reads until it is full or the input ends.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<usize, StoreError> {
        let mut filled = 0;
        while let Some(rest @ [_, ..]) = bytes.get_mut(filled..) {
            match self.input.read(rest) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failure("read", &self.file, error)),
            }
        }
        Ok(filled)
    }

    fn cut(&self) -> StoreError {
        self.damaged(self.offset, "the backup is cut short")
    }

    fn damaged(&self, offset: u64, what: &str) -> StoreError {
        StoreError::Damaged {
            file: self.file.clone(),
            offset: Some(offset),
            what: what.to_owned(),
        }
    }
}
