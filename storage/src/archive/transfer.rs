//! Messages between lines: kept by the one, taken over by the other, each in one piece with what else it does.

use super::load::QueuedRecord;
use super::{Archive, Holding};
use crate::record::{
    Addressee, ContentRef, EntryRef, Fault, Flaw, MessageId, Place, SESSION, TRANSFER, TRANSIT, TransferRecord,
    message_key, session_key,
};
use crate::{ScanLimit, Store, StoreError};

/// Transfers that are finished at a time.
const SLICE: ScanLimit = ScanLimit {
    entries_max: 256,
    bytes_max: 1 << 20,
};

impl<S: Store> Archive<S> {
    /// Keeps a message for sessions on another line, with the shared group that chose the session and the bytes that it
    /// counts for in a queue. `place` is behind those of all transfers before.
    ///
    /// # Errors
    ///
    /// As [`Archive::enqueue`].
    pub fn transfer(
        &mut self,
        place: Place,
        content: ContentRef<'_>,
        (group, cost_bytes): (Option<&str>, u32),
        receivers: &[Addressee],
    ) -> Result<(), StoreError> {
        let (ContentRef::Inline(message) | ContentRef::Shared(_, message)) = content;
        let entry = EntryRef {
            qos: message.qos,
            retain: message.retain,
            ids: &[],
            packet_id: None,
            group,
            cost_bytes,
            content,
        };
        self.enqueue(TRANSIT, place, entry)?;
        self.put_new(TRANSFER, &transfer_key(place), |out| {
            TransferRecord::write(receivers, out)
        });
        Ok(())
    }

    /// The other line has taken the message over. `shared` names the message if others share it.
    ///
    /// # Errors
    ///
    /// As [`Archive::done`].
    pub fn transferred(&mut self, place: Place, shared: Option<MessageId>) -> Result<(), StoreError> {
        self.done(TRANSIT, place, Holding::queued(shared))?;
        self.batch.remove(TRANSFER, &transfer_key(place));
        Ok(())
    }

    /// Puts what was under way between lines when the broker ended into the queues that it was for, before anything
    /// else is put into them. `next` gives places behind all that were ever given. Says how many messages that were.
    ///
    /// # Errors
    ///
    /// The store failed, has no room, or something is damaged. What was finished before stays so, and another call goes
    /// on with the rest.
    pub fn finish_transfers(&mut self, mut next: impl FnMut() -> Place) -> Result<usize, StoreError> {
        let mut finished = 0;
        loop {
            let window = self.window(TRANSIT, Place(0), SLICE)?;
            for queued in &window.entries {
                // One at a time, whole.
                if let Err(error) = self.finish(queued, &mut next) {
                    self.discard();
                    return Err(error);
                }
                self.apply()?;
                finished += 1;
            }
            if window.entries.is_empty() {
                return Ok(finished);
            }
        }
    }

    fn finish(&mut self, queued: &QueuedRecord, next: &mut impl FnMut() -> Place) -> Result<(), StoreError> {
        let key = transfer_key(queued.place);
        let record = self.read(TRANSFER, &key, TransferRecord::read)?;
        let record = record.ok_or_else(|| self.damaged(&Fault::new(TRANSFER, &key, Flaw::Content("it is missing"))))?;
        for receiver in record.receivers {
            if self.store.get(SESSION, &session_key(receiver.session))?.is_none() {
                continue;
            }
            let message = queued.message.borrowed();
            let entry = EntryRef {
                qos: receiver.qos,
                retain: receiver.retain,
                ids: &receiver.ids,
                packet_id: None,
                group: queued.group.as_deref(),
                cost_bytes: queued.cost_bytes,
                content: match queued.shared {
                    Some(id) => ContentRef::Shared(id, message),
                    None => ContentRef::Inline(message),
                },
            };
            self.enqueue(receiver.session, next(), entry)?;
        }
        self.transferred(queued.place, queued.shared)
    }
}

fn transfer_key(place: Place) -> [u8; 8] {
    // A number of eight bytes, as that of a message.
    message_key(MessageId(place.0))
}
