//! From records to the bytes of a backup.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::format::{BlockHead, encode_head, encode_trailer, seed};
use super::{BackupHead, BackupTotals, StoredRecord};
use crate::Batch;

/// Makes the bytes of one backup, part by part. It does no I/O.
#[derive(Clone, Debug)]
pub struct BackupEncoder {
    seed: u32,
    totals: BackupTotals,
}

impl BackupEncoder {
    /// Appends the head.
    #[must_use]
    pub fn begin(head: BackupHead, out: &mut Vec<u8>) -> Self {
        let head = encode_head(head, RandomState::new().build_hasher().finish());
        out.extend_from_slice(&head);
        Self {
            seed: seed(&head),
            totals: BackupTotals::default(),
        }
    }

    /// Appends a block with these records, which come behind all before them; nothing without records.
    pub fn block(&mut self, records: &[StoredRecord], out: &mut Vec<u8>) {
        let mut batch = Batch::default();
        for record in records {
            batch.put(record.table, &record.key, &record.value);
        }
        let payload = batch.records();
        if payload.is_empty() {
            return;
        }
        self.totals.blocks += 1;
        self.totals.records += batch.len() as u64;
        self.totals.bytes += payload.len() as u64;
        let head = BlockHead {
            payload_bytes: u32::try_from(payload.len()).unwrap_or(u32::MAX),
            sequence: self.totals.blocks,
            payload_checksum: crc32c::crc32c_append(self.seed, payload),
        };
        out.extend_from_slice(&head.encode(self.seed));
        out.extend_from_slice(payload);
    }

    /// Appends the trailer, which makes the backup whole.
    pub fn end(self, out: &mut Vec<u8>) -> BackupTotals {
        out.extend_from_slice(&encode_trailer(self.totals, self.seed));
        self.totals
    }
}
