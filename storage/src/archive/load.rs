//! What a line reads to serve a session: what is in flight, and windows of what waits.

use std::iter::Peekable;
use std::sync::Arc;
use std::vec::IntoIter;

use bytes::Bytes;
use bytestring::ByteString;
use mqtt_codec::{PacketId, QoS, SubscriptionId};

use super::walk::Walk;
use super::{Archive, Holding};
use crate::record::{
    Content, Entry, FLIGHT, Fault, Flaw, FlightRecord, FlightStep, MessageId, MessageRecord, Place, QUEUE, RECEIVED,
    SessionId, open, packet_id_of, place_key, place_of, session_key,
};
use crate::{ScanLimit, Store, StoreError, Table};

/// Slices of records that are small.
pub(super) const SMALL: ScanLimit = ScanLimit {
    entries_max: 1024,
    bytes_max: 1 << 20,
};

/// What a session brings when its client comes back.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// QoS 2 messages from the client that await their PUBREL, by packet id. As many as the broker's Receive Maximum.
    pub received: Vec<PacketId>,
    /// Deliveries under way, in the order of the queue. As many as the client's Receive Maximum allowed.
    pub flights: Vec<LoadedFlight>,
    /// The first that wait.
    pub window: Window,
}

/// A delivery under way.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedFlight {
    /// Where it stands in the queue.
    pub place: Place,
    /// With which it was sent.
    pub packet_id: PacketId,
    /// What was sent; `None`: a PUBREL is owed.
    pub queued: Option<QueuedRecord>,
    /// What the store has of it.
    pub holding: Holding,
}

/// Some deliveries of a queue, in its order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    /// Perhaps expired: that is for the reader to judge.
    pub entries: Vec<QueuedRecord>,
    /// Whether others lie behind them: all of the queue was seen when it is `false`.
    pub more: bool,
}

/// A delivery with its message.
#[derive(Clone, Debug, PartialEq)]
pub struct QueuedRecord {
    /// Where it stands in the queue.
    pub place: Place,
    /// QoS towards this session.
    pub qos: QoS,
    /// RETAIN flag towards this session.
    pub retain: bool,
    /// Identifiers of the subscriptions that it matched.
    pub ids: Vec<SubscriptionId>,
    /// The packet id with which it was sent at once.
    pub packet_id: Option<PacketId>,
    /// The filter of the shared subscription that chose this session.
    pub group: Option<ByteString>,
    /// Bytes that it counts for in the account of its queue.
    pub cost_bytes: u32,
    /// The number of its message, if others share it.
    pub shared: Option<MessageId>,
    /// The message; the same value for all that share it.
    pub message: Arc<MessageRecord>,
}

impl QueuedRecord {
    /// What the store has of it while it waits, or if it was sent at once.
    #[must_use]
    pub const fn holding(&self) -> Holding {
        Holding::queued(self.shared)
    }
}

/// The records of a session's deliveries under way, by place.
pub(super) type Flights = Peekable<IntoIter<(Place, FlightRecord)>>;

impl<S: Store> Archive<S> {
    /// Reads what is under way in a session, and the first that wait, within `limit`.
    ///
    /// A queue is sent in its order, so what is under way precedes what waits. Should something that was sent at once
    /// stand behind the window all the same, [`Archive::window`] gives it with its packet id.
    ///
    /// # Errors
    ///
    /// The store failed or a record is damaged.
    pub fn load(&mut self, session: SessionId, limit: ScanLimit) -> Result<Loaded, StoreError> {
        self.apply()?;
        let received = self.received_ids(session)?;
        let mut records = self.flights(session, None)?;
        let mut flights = Vec::new();
        let mut walk = Walk::new(QUEUE, &session_key(session), None, limit);
        let mut window = Filling::new(limit);
        while !window.is_full() {
            let Some((key, value)) = walk.next(&self.store)? else {
                break;
            };
            let queued = self.queued(&key, &value)?;
            while let Some(&(place, record)) = records.peek().filter(|(place, _)| *place < queued.place) {
                flights.push(self.released_flight(session, place, record)?);
                records.next();
            }
            let record = records.next_if(|(place, _)| *place == queued.place);
            match (record, queued.packet_id) {
                (Some((place, record)), _) => flights.push(sent_flight(place, record, queued)),
                (None, Some(packet_id)) => flights.push(LoadedFlight {
                    place: queued.place,
                    packet_id,
                    holding: queued.holding(),
                    queued: Some(queued),
                }),
                (None, None) => window.push(queued),
            }
        }
        let more = walk.has_more(&self.store)?;
        for (place, record) in records {
            let key = place_key(session, place);
            flights.push(match self.store.get(QUEUE, &key)? {
                Some(value) => sent_flight(place, record, self.queued(&key, &value)?),
                None => self.released_flight(session, place, record)?,
            });
        }
        Ok(Loaded {
            received,
            flights,
            window: window.with_more(more),
        })
    }

    /// Reads the deliveries that wait behind a place, within `limit`.
    ///
    /// # Errors
    ///
    /// The store failed or a record is damaged.
    pub fn window(&mut self, session: SessionId, after: Place, limit: ScanLimit) -> Result<Window, StoreError> {
        self.apply()?;
        let after = place_key(session, after);
        let mut records = self.flights(session, Some(&after))?;
        let mut walk = Walk::new(QUEUE, &session_key(session), Some(&after), limit);
        let mut window = Filling::new(limit);
        while !window.is_full() {
            let Some((key, value)) = walk.next(&self.store)? else {
                break;
            };
            let queued = self.queued(&key, &value)?;
            while records.next_if(|(place, _)| *place < queued.place).is_some() {}
            if records.next_if(|(place, _)| *place == queued.place).is_none() {
                window.push(queued);
            }
        }
        let more = walk.has_more(&self.store)?;
        Ok(window.with_more(more))
    }

    /// How far the deliveries behind a key have come.
    pub(super) fn flights(&self, session: SessionId, after: Option<&[u8]>) -> Result<Flights, StoreError> {
        let mut walk = Walk::new(FLIGHT, &session_key(session), after, SMALL);
        let mut found = Vec::new();
        while let Some((key, value)) = walk.next(&self.store)? {
            let record = open(FLIGHT, &key, &value, FlightRecord::read).map_err(|fault| self.damaged(&fault))?;
            found.push((self.place(FLIGHT, &key)?, record));
        }
        Ok(found.into_iter().peekable())
    }

    /// The place that a key names.
    pub(super) fn place(&self, table: Table, key: &[u8]) -> Result<Place, StoreError> {
        place_of(key).ok_or_else(|| self.damaged(&Fault::new(table, key, Flaw::Content("its key has another size"))))
    }

    fn received_ids(&self, session: SessionId) -> Result<Vec<PacketId>, StoreError> {
        let mut walk = Walk::new(RECEIVED, &session_key(session), None, SMALL);
        let mut found = Vec::new();
        while let Some((key, value)) = walk.next(&self.store)? {
            let id = open(RECEIVED, &key, &value, |_| {
                packet_id_of(&key).ok_or("its key has no packet id")
            });
            found.push(id.map_err(|fault| self.damaged(&fault))?);
        }
        Ok(found)
    }

    fn queued(&mut self, key: &[u8], value: &Bytes) -> Result<QueuedRecord, StoreError> {
        let place = self.place(QUEUE, key)?;
        let entry = open(QUEUE, key, value, Entry::read).map_err(|fault| self.damaged(&fault))?;
        let shared = entry.shared();
        Ok(QueuedRecord {
            place,
            qos: entry.qos,
            retain: entry.retain,
            ids: entry.ids,
            packet_id: entry.packet_id,
            group: entry.group,
            cost_bytes: entry.cost_bytes,
            shared,
            message: match entry.content {
                Content::Inline(message) => message,
                Content::Shared { id, .. } => self.body(id)?,
            },
        })
    }

    /// A flight without an entry: only a PUBREL is owed. Otherwise the entry was lost.
    fn released_flight(
        &self,
        session: SessionId,
        place: Place,
        record: FlightRecord,
    ) -> Result<LoadedFlight, StoreError> {
        match record.step {
            FlightStep::Released => Ok(LoadedFlight {
                place,
                packet_id: record.packet_id,
                queued: None,
                holding: Holding::released(),
            }),
            FlightStep::Sent => {
                let flaw = Flaw::Content("it was sent, and its entry is missing");
                Err(self.damaged(&Fault::new(FLIGHT, &place_key(session, place), flaw)))
            }
        }
    }
}

fn sent_flight(place: Place, record: FlightRecord, queued: QueuedRecord) -> LoadedFlight {
    LoadedFlight {
        place,
        packet_id: record.packet_id,
        holding: queued.holding().sent(),
        queued: Some(queued),
    }
}

/// A window that is filled up to a limit.
struct Filling {
    entries: Vec<QueuedRecord>,
    bytes: usize,
    limit: ScanLimit,
}

impl Filling {
    fn new(limit: ScanLimit) -> Self {
        Self {
            entries: Vec::new(),
            bytes: 0,
            limit,
        }
    }

    fn is_full(&self) -> bool {
        !self.entries.is_empty() && self.limit.is_reached(self.entries.len(), self.bytes)
    }

    fn push(&mut self, queued: QueuedRecord) {
        self.bytes += queued.message.topic.len() + queued.message.payload.len();
        self.entries.push(queued);
    }

    fn with_more(self, more: bool) -> Window {
        Window {
            entries: self.entries,
            more,
        }
    }
}
