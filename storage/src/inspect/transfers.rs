//! Messages on their way between lines: entries of a queue of their own, each with a record of who gets it.

use bytes::Bytes;

use super::Inspection;
use super::entries::Entries;
use super::items::{Item, LastMessage, Visitor, place_at};
use crate::record::{Entry, Fault, Flaw, QUEUE, TRANSFER, TRANSIT, TransferRecord, open, place_key};
use crate::{Place, Store, StoreError};

/// Bytes of a place, behind those of the session in a key of the queues.
const PLACE_BYTES: usize = 8;

/// The last key that an entry of [`TRANSIT`] can have.
pub(super) fn transit_end() -> [u8; 2 * PLACE_BYTES] {
    place_key(TRANSIT, Place(u64::MAX))
}

/// The entries of [`TRANSIT`] in the order of their places.
pub(super) fn transit(store: &dyn Store) -> impl Iterator<Item = Result<(Bytes, Bytes), StoreError>> {
    let end = transit_end();
    Entries::new(store, QUEUE).take_while(move |stored| stored.as_ref().map_or(true, |(key, _)| **key <= end[..]))
}

/// The key of the record that belongs to an entry of [`TRANSIT`].
pub(super) fn transfer_key_of(entry_key: &[u8]) -> &[u8] {
    entry_key.get(PLACE_BYTES..).unwrap_or_default()
}

impl Inspection {
    pub(super) fn visit_transfers(&self, visitor: Visitor<'_>) -> Result<(), StoreError> {
        let mut records = Entries::new(&self.shard, TRANSFER).peekable();
        let mut last = None;
        for stored in transit(&self.shard) {
            let (key, value) = stored?;
            let own = transfer_key_of(&key);
            let mut record = None;
            while let Some(next) = records.next_if(|next| next.as_ref().map_or(true, |(other, _)| **other <= *own)) {
                let (other, value) = next?;
                match *other == *own {
                    true => record = Some(value),
                    false => visitor(Item::Damaged(without_message(&other)))?,
                }
            }
            let item = self.transfer((&key, &value), record.as_ref(), &mut last)?;
            visitor(item.unwrap_or_else(Item::Damaged))?;
        }
        for record in records {
            visitor(Item::Damaged(without_message(&record?.0)))?;
        }
        Ok(())
    }

    /// What is told of an entry and the record that belongs to it.
    fn transfer(
        &self,
        (key, value): (&Bytes, &Bytes),
        record: Option<&Bytes>,
        last: &mut LastMessage,
    ) -> Result<Result<Item, Fault>, StoreError> {
        let read = |fields: &mut _| Ok((place_at(key)?.1, Entry::read(fields)?));
        let (place, entry) = match open(QUEUE, key, value, read) {
            Ok(entry) => entry,
            Err(fault) => return Ok(Err(fault)),
        };
        let own = transfer_key_of(key);
        let missing = || Fault::new(TRANSFER, own, Flaw::Content("it is missing"));
        let receivers = record.ok_or_else(missing);
        let receivers = match receivers.and_then(|value| open(TRANSFER, own, value, TransferRecord::read)) {
            Ok(record) => record.receivers,
            Err(fault) => return Ok(Err(fault)),
        };
        let message = self.message(&entry, last)?;
        Ok(message.map(|message| Item::Transfer {
            place,
            entry: Box::new(entry),
            message,
            receivers,
        }))
    }
}

fn without_message(key: &[u8]) -> Fault {
    Fault::new(TRANSFER, key, Flaw::Content("the message that travels is missing"))
}
