//! Where a broker keeps what it promised: an ordered store of bytes with batches, and its engines.
//!
//! It knows nothing of MQTT. A key is a table and bytes, a batch is applied whole or not at all, and a commit says when
//! what was applied survives what its [`Durability`] names. Engines differ in nothing else, which the conformance test
//! in `tests/conformance.rs` holds each of them to.

mod batch;
mod memory;

pub use batch::{Batch, Change, Key, Table};
pub use memory::MemoryStore;

use bytes::Bytes;

/// What a commit survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Nothing: the data end with the process.
    Memory,
    /// The end of the process.
    Process,
    /// The loss of power.
    Power,
}

/// Why a store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A value or the whole store is larger than its bound.
    #[error("the store is full: {used} bytes used, {wanted} more wanted, {max} allowed")]
    Full {
        /// Bytes in use.
        used: usize,
        /// Bytes that the batch adds.
        wanted: usize,
        /// The bound.
        max: usize,
    },
    /// The medium failed. After this nothing is promised any more.
    #[error("the store failed: {0}")]
    Io(#[from] std::io::Error),
}

/// A bound on how much one scan takes out.
#[derive(Clone, Copy, Debug)]
pub struct ScanLimit {
    /// Entries.
    pub entries_max: usize,
    /// Bytes of keys and values; at least one entry comes whatever its size.
    pub bytes_max: usize,
}

/// An ordered store of bytes.
///
/// One thread owns a store. What it guarantees:
///
/// - [`Store::apply`] takes a batch whole or not at all, and what it took is seen by [`Store::get`] and
///   [`Store::scan`] at once.
/// - [`Store::commit`] returns when all batches applied before it survive what [`Store::durability`] names. A store that
///   is opened again holds the batches of some moment at or after the last commit that returned, in their order, with
///   none left out in between.
/// - Within a table, keys are ordered as bytes are, and a scan follows that order.
pub trait Store {
    /// What a commit of this engine survives.
    fn durability(&self) -> Durability;

    /// Takes all changes of a batch, in their order.
    ///
    /// # Errors
    ///
    /// Takes none of them when there is no room or the medium fails.
    fn apply(&mut self, batch: Batch) -> Result<(), StoreError>;

    /// Makes durable what was applied.
    ///
    /// # Errors
    ///
    /// The medium failed: nothing since the last commit may be acknowledged.
    fn commit(&mut self) -> Result<(), StoreError>;

    /// The value of a key.
    ///
    /// # Errors
    ///
    /// The medium failed or holds something damaged.
    fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError>;

    /// Entries of a table from the first key at or after `from` that begins with `prefix`, in order, within a limit.
    ///
    /// # Errors
    ///
    /// The medium failed or holds something damaged.
    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        from: &[u8],
        limit: ScanLimit,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError>;

    /// Bytes of keys and values that the store holds.
    fn bytes(&self) -> usize;
}
