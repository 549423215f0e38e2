//! The life of a delivery in its session's queue.

use mqtt_codec::PacketId;

use super::Archive;
use crate::record::{
    ContentRef, EntryRef, FLIGHT, FlightRecord, FlightStep, MESSAGE, MessageId, Place, QUEUE, SessionId, message_key,
    place_key, seal,
};
use crate::{Store, StoreError};

/// What the store has of one delivery. Whoever owns the session remembers it, so that nothing is read to change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// An entry in the queue; gone after [`Archive::released`].
    entry: bool,
    /// A record of how far it has come.
    flight: bool,
    /// The shared message that the entry names.
    shared: Option<MessageId>,
}

impl Holding {
    /// After [`Archive::enqueue`], with the number of the message if it is shared.
    #[must_use]
    pub const fn queued(shared: Option<MessageId>) -> Self {
        Self {
            entry: true,
            flight: false,
            shared,
        }
    }

    /// After [`Archive::sent`].
    #[must_use]
    pub const fn sent(self) -> Self {
        Self { flight: true, ..self }
    }

    /// Whether the store was told apart that it was sent.
    #[must_use]
    pub const fn is_sent(self) -> bool {
        self.flight
    }

    /// After [`Archive::released`].
    #[must_use]
    pub const fn released() -> Self {
        Self {
            entry: false,
            flight: true,
            shared: None,
        }
    }
}

impl<S: Store> Archive<S> {
    /// Adds a delivery to the queue of a session, at a place behind all that it has had.
    ///
    /// A shared message is written with the first of its entries.
    ///
    /// # Errors
    ///
    /// The store failed or a count is damaged; the changes that wait are as before.
    #[inline]
    pub fn enqueue(&mut self, session: SessionId, place: Place, entry: EntryRef<'_>) -> Result<(), StoreError> {
        if let ContentRef::Shared(id, message) = entry.content {
            self.know(id)?;
            if self.references.add(id) {
                let key = message_key(id);
                self.batch
                    .put_new_with(MESSAGE, &key, |out| seal(MESSAGE, &key, out, |out| message.write(out)));
            }
        }
        let key = place_key(session, place);
        self.batch
            .put_new_with(QUEUE, &key, |out| seal(QUEUE, &key, out, |out| entry.write(out)));
        Ok(())
    }

    /// A delivery that waited is sent. Once for each: what is sent again keeps its packet id.
    pub fn sent(&mut self, session: SessionId, place: Place, packet_id: PacketId) {
        let step = FlightStep::Sent;
        let key = place_key(session, place);
        self.put_new(FLIGHT, &key, |out| FlightRecord { packet_id, step }.write(out));
    }

    /// The PUBREC of a delivery came: the entry goes, what stays is that a PUBREL is owed.
    ///
    /// # Errors
    ///
    /// The store failed or a count is damaged; the changes that wait are as before.
    pub fn released(
        &mut self,
        session: SessionId,
        place: Place,
        packet_id: PacketId,
        holding: Holding,
    ) -> Result<(), StoreError> {
        self.forget_entry(session, place, holding)?;
        let record = FlightRecord {
            packet_id,
            step: FlightStep::Released,
        };
        let key = place_key(session, place);
        if holding.flight {
            self.put(FLIGHT, &key, |out| record.write(out));
        } else {
            self.put_new(FLIGHT, &key, |out| record.write(out));
        }
        Ok(())
    }

    /// A delivery is over: acknowledged to the end, expired, or given to another member of its group.
    ///
    /// # Errors
    ///
    /// The store failed or a count is damaged; the changes that wait are as before.
    #[inline]
    pub fn done(&mut self, session: SessionId, place: Place, holding: Holding) -> Result<(), StoreError> {
        self.forget_entry(session, place, holding)?;
        if holding.flight {
            self.batch.remove(FLIGHT, &place_key(session, place));
        }
        Ok(())
    }

    #[inline]
    fn forget_entry(&mut self, session: SessionId, place: Place, holding: Holding) -> Result<(), StoreError> {
        if let Some(id) = holding.shared {
            self.know(id)?;
            self.references.drop(id);
        }
        if holding.entry {
            self.batch.remove(QUEUE, &place_key(session, place));
        }
        Ok(())
    }
}
