//! What a store holds, thing by thing.

use std::iter::Peekable;
use std::sync::Arc;

use bytes::Bytes;
use mqtt_codec::PacketId;

use super::Inspection;
use super::entries::Entries;
use super::transfers::transit_end;
use crate::record::{
    Content, Entry, FLIGHT, Fault, Fields, Flaw, FlightRecord, FlightStep, GRAVE, MESSAGE, MessageId, QUEUE, RECEIVED,
    RETAINED, SESSION, SUBSCRIPTION, WILL, message_key, open, packet_id_of, place_of, session_key, session_of,
};
use crate::{
    Addressee, MessageRecord, Place, SessionId, SessionRecord, Store, StoreError, SubscriptionRecord, Table, WillRecord,
};

/// One thing that a store holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A session that is kept.
    Session {
        /// Its number.
        session: SessionId,
        /// Whose it is.
        record: Box<SessionRecord>,
    },
    /// A subscription of a session.
    Subscription {
        /// Its session.
        session: SessionId,
        /// The subscription.
        record: SubscriptionRecord,
    },
    /// A delivery.
    Entry {
        /// Its session.
        session: SessionId,
        /// Where it stands in the queue.
        place: Place,
        /// How far it has come.
        state: EntryState,
        /// The delivery.
        entry: Box<Entry>,
        /// Its message, wherever it stands.
        message: Arc<MessageRecord>,
    },
    /// A message on its way from one line to another.
    Transfer {
        /// Where it stands in the queue of those.
        place: Place,
        /// The message as it travels, with its group and its account.
        entry: Box<Entry>,
        /// Its message, wherever it stands.
        message: Arc<MessageRecord>,
        /// Who gets it.
        receivers: Vec<Addressee>,
    },
    /// A delivery whose PUBREC came and whose PUBCOMP is awaited.
    Released {
        /// Its session.
        session: SessionId,
        /// Where it stood in the queue.
        place: Place,
        /// With which it was sent.
        packet_id: PacketId,
    },
    /// A QoS 2 message from a client that awaits its PUBREL.
    Received {
        /// The client's session.
        session: SessionId,
        /// With which it came.
        packet_id: PacketId,
    },
    /// A retained message.
    Retained(Box<MessageRecord>),
    /// The will of a client whose session is not kept.
    Will {
        /// Its number.
        session: SessionId,
        /// Whose it is, and what is to be published.
        record: Box<WillRecord>,
    },
    /// A session that ended and has records left.
    Ended {
        /// Its number.
        session: SessionId,
    },
    /// A record that cannot be read, or that lacks another.
    Damaged(Fault),
}

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryState {
    /// It waits.
    Waits,
    /// It was sent with this packet id and is not acknowledged.
    Sent(PacketId),
}

/// The shared message that was read last.
pub(super) type LastMessage = Option<(MessageId, Arc<MessageRecord>)>;

/// What is told of each thing.
pub(super) type Visitor<'a> = &'a mut dyn FnMut(Item) -> Result<(), StoreError>;

impl Inspection {
    /// Tells of everything, kind by kind: sessions, subscriptions, messages on their way between lines, deliveries in
    /// the order of their queues, what was released and received, retained messages, wills, ended sessions. A message
    /// that is shared comes with each of its deliveries. Memory is that of one page.
    ///
    /// # Errors
    ///
    /// The engine failed, or what `visitor` gives. A damaged record is told and passed by.
    pub fn visit(&self, visitor: Visitor<'_>) -> Result<(), StoreError> {
        self.each(SESSION, visitor, |session, _, fields| {
            let record = Box::new(SessionRecord::read(fields)?);
            Ok(Item::Session { session, record })
        })?;
        self.each(SUBSCRIPTION, visitor, |session, _, fields| {
            let record = SubscriptionRecord::read(fields)?;
            Ok(Item::Subscription { session, record })
        })?;
        self.visit_transfers(visitor)?;
        self.visit_queues(visitor)?;
        self.visit_released(visitor)?;
        self.each(RECEIVED, visitor, |session, key, _| {
            let packet_id = packet_id_of(key).ok_or("its key has no packet id")?;
            Ok(Item::Received { session, packet_id })
        })?;
        self.each(RETAINED, visitor, |_, _, fields| {
            Ok(Item::Retained(Box::new(MessageRecord::read(fields)?)))
        })?;
        self.each(WILL, visitor, |session, _, fields| {
            let record = Box::new(WillRecord::read(fields)?);
            Ok(Item::Will { session, record })
        })?;
        self.each(GRAVE, visitor, |session, _, _| Ok(Item::Ended { session }))
    }

    /// Tells of all records of a table that are read by themselves.
    fn each(
        &self,
        table: Table,
        visitor: Visitor<'_>,
        item: impl Fn(SessionId, &[u8], &mut Fields) -> Result<Item, &'static str>,
    ) -> Result<(), StoreError> {
        for entry in Entries::new(&self.shard, table) {
            let (key, value) = entry?;
            let session = session_of(&key).unwrap_or(SessionId(0));
            let read = open(table, &key, &value, |fields| item(session, &key, fields));
            visitor(read.unwrap_or_else(Item::Damaged))?;
        }
        Ok(())
    }

    fn visit_queues(&self, visitor: Visitor<'_>) -> Result<(), StoreError> {
        let mut flights = Entries::new(&self.shard, FLIGHT).peekable();
        let mut last = None;
        for stored in Entries::behind(&self.shard, QUEUE, &transit_end()) {
            let (key, value) = stored?;
            let flight = flight_at(&mut flights, &key)?;
            let entry = match open(QUEUE, &key, &value, |fields| {
                Ok((place_at(&key)?, Entry::read(fields)?))
            }) {
                Ok(entry) => entry,
                Err(fault) => {
                    visitor(Item::Damaged(fault))?;
                    continue;
                }
            };
            let ((session, place), entry) = entry;
            let packet_id = flight.map(|flight| flight.packet_id).or(entry.packet_id);
            let item = match self.message(&entry, &mut last)? {
                Ok(message) => Item::Entry {
                    session,
                    place,
                    state: packet_id.map_or(EntryState::Waits, EntryState::Sent),
                    entry: Box::new(entry),
                    message,
                },
                Err(fault) => Item::Damaged(fault),
            };
            visitor(item)?;
        }
        Ok(())
    }

    fn visit_released(&self, visitor: Visitor<'_>) -> Result<(), StoreError> {
        for stored in Entries::new(&self.shard, FLIGHT) {
            let (key, value) = stored?;
            match open(FLIGHT, &key, &value, |fields| {
                Ok((place_at(&key)?, FlightRecord::read(fields)?))
            }) {
                Ok(((session, place), flight)) if flight.step == FlightStep::Released => visitor(Item::Released {
                    session,
                    place,
                    packet_id: flight.packet_id,
                })?,
                Ok(_) => {}
                Err(fault) => visitor(Item::Damaged(fault))?,
            }
        }
        Ok(())
    }

    /// The message of a delivery; a shared one is read once for deliveries that follow one another.
    pub(super) fn message(
        &self,
        entry: &Entry,
        last: &mut LastMessage,
    ) -> Result<Result<Arc<MessageRecord>, Fault>, StoreError> {
        let id = match &entry.content {
            Content::Inline(message) => return Ok(Ok(Arc::clone(message))),
            Content::Shared { id, .. } => *id,
        };
        if let Some((_, message)) = last.as_ref().filter(|(known, _)| *known == id) {
            return Ok(Ok(Arc::clone(message)));
        }
        let key = message_key(id);
        let Some(value) = self.shard.get(MESSAGE, &key)? else {
            return Ok(Err(Fault::new(MESSAGE, &key, Flaw::Content("it is missing"))));
        };
        let message = open(MESSAGE, &key, &value, MessageRecord::read).map(Arc::new);
        if let Ok(message) = &message {
            *last = Some((id, Arc::clone(message)));
        }
        Ok(message)
    }

    /// The session of that number, if there is one.
    pub(super) fn session(&self, session: SessionId) -> Result<Option<SessionRecord>, StoreError> {
        let key = session_key(session);
        let value = self.shard.get(SESSION, &key)?;
        let record = value.map(|value| open(SESSION, &key, &value, SessionRecord::read));
        record.transpose().map_err(|fault| fault.at(self.directory.path()))
    }
}

/// The session and the place that a key names.
pub(super) fn place_at(key: &[u8]) -> Result<(SessionId, Place), &'static str> {
    session_of(key).zip(place_of(key)).ok_or("its key has another size")
}

/// How far the delivery under this key has come, if that is told apart. Keys are asked for in ascending order.
fn flight_at(flights: &mut Peekable<Entries<'_>>, key: &Bytes) -> Result<Option<FlightRecord>, StoreError> {
    while let Some(next) = flights.next_if(|next| next.as_ref().map_or(true, |(flight, _)| flight <= key)) {
        let (flight, value) = next?;
        if flight == *key {
            return Ok(open(FLIGHT, &flight, &value, FlightRecord::read).ok());
        }
    }
    Ok(None)
}
