//! What MQTT knows, as records: tables, keys and values.
//!
//! | Table | Key | Value |
//! |---|---|---|
//! | [`META`] | a name | bytes |
//! | [`SESSION`] | session | [`SessionRecord`] |
//! | [`SUBSCRIPTION`] | session, hash of the filter | [`SubscriptionRecord`] |
//! | [`QUEUE`] | session, place | [`Entry`]: a delivery with its message, or with the number of a shared one |
//! | [`MESSAGE`] | message | [`MessageRecord`], shared by several entries |
//! | [`REFERENCE`] | message | how many entries share it |
//! | [`FLIGHT`] | session, place | [`FlightRecord`]: a delivery that was sent after it had waited, or was released |
//! | [`RECEIVED`] | session, packet id | nothing: a QoS 2 message from the client awaits its PUBREL |
//! | [`RETAINED`] | hash of the topic | [`MessageRecord`] |
//! | [`WILL`] | session | [`WillRecord`] of a client whose session is not kept |
//! | [`GRAVE`] | session | nothing: the session ended, its records wait to be removed |
//! | [`TRANSFER`] | place in [`TRANSIT`] | who gets the message that stands there |
//!
//! Keys are numbers in network order, so that a scan follows the order of a queue; what a client named is hashed to 16
//! bytes, so that every key has a fixed size. A value is a version, its content, and a CRC-32C over table, key, version
//! and content. Version and checksum stay where they are in all versions to come; what lies between them may change with
//! the version.

mod entry;
mod fault;
mod fields;
mod flight;
mod frame;
mod key;
mod message;
mod properties;
mod session;
mod subscription;
mod transfer;
mod will;

pub use entry::{Content, ContentRef, Entry, EntryRef};
pub use fault::{Fault, Flaw};
pub use flight::{FlightRecord, FlightStep};
pub use message::{MessageRecord, MessageRef};
pub use session::SessionRecord;
pub use subscription::SubscriptionRecord;
pub use transfer::{Addressee, TransferRecord};
pub use will::WillRecord;

pub(crate) use fields::Fields;
pub(crate) use frame::{open, seal};
pub(crate) use key::{
    message_key, packet_id_of, place_key, place_of, received_key, session_key, session_of, subscription_key, topic_key,
};

use bytes::Bytes;

use crate::Table;

/// What the broker remembers of itself, by name.
pub const META: Table = Table(1);
/// Sessions that outlive their connection.
pub const SESSION: Table = Table(2);
/// Their subscriptions.
pub const SUBSCRIPTION: Table = Table(3);
/// Their queues, from the first delivery that was not acknowledged to the last that waits.
pub const QUEUE: Table = Table(4);
/// Messages that several entries share.
pub const MESSAGE: Table = Table(5);
/// How many entries share them.
pub const REFERENCE: Table = Table(6);
/// How far deliveries have come.
pub const FLIGHT: Table = Table(7);
/// QoS 2 messages from clients that await their PUBREL.
pub const RECEIVED: Table = Table(8);
/// Retained messages.
pub const RETAINED: Table = Table(9);
/// Wills of clients whose session is not kept.
pub const WILL: Table = Table(10);
/// Sessions that ended and have records left.
pub const GRAVE: Table = Table(11);

/// Who gets the messages in [`TRANSIT`].
pub const TRANSFER: Table = Table(12);

/// The queue of messages that travel from one line to another. No session has this number.
pub const TRANSIT: SessionId = SessionId(0);

/// The tables with their names, in the order of their numbers.
pub const TABLES: [(Table, &str); 12] = [
    (META, "meta"),
    (SESSION, "session"),
    (SUBSCRIPTION, "subscription"),
    (QUEUE, "queue"),
    (MESSAGE, "message"),
    (REFERENCE, "reference"),
    (FLIGHT, "flight"),
    (RECEIVED, "received"),
    (RETAINED, "retained"),
    (WILL, "will"),
    (GRAVE, "grave"),
    (TRANSFER, "transfer"),
];

/// The version of the records that this code writes, and the only one that it reads.
pub const RECORD_VERSION: u8 = 1;

/// One session for ever: a client that starts anew gets another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// Where an entry stands in the queue of its session: later ones are higher, gaps are usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u64);

/// One message that is shared, for ever: never given to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u64);

/// Wall-clock time in milliseconds since 1970, kept from running backwards by who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreTime(pub u64);

/// A value of any table, for tools that walk through all of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// Of [`META`].
    Meta(Bytes),
    /// Of [`SESSION`].
    Session(Box<SessionRecord>),
    /// Of [`SUBSCRIPTION`].
    Subscription(SubscriptionRecord),
    /// Of [`QUEUE`].
    Entry(Entry),
    /// Of [`MESSAGE`].
    Message(MessageRecord),
    /// Of [`REFERENCE`].
    References(u32),
    /// Of [`FLIGHT`].
    Flight(FlightRecord),
    /// Of [`RECEIVED`].
    Received,
    /// Of [`RETAINED`].
    Retained(MessageRecord),
    /// Of [`WILL`].
    Will(WillRecord),
    /// Of [`GRAVE`].
    Grave,
    /// Of [`TRANSFER`].
    Transfer(TransferRecord),
}

impl Record {
    /// Reads what stands under a key of a table.
    ///
    /// # Errors
    ///
    /// The value is damaged, of an unknown version, or in a table that does not exist.
    pub fn read(table: Table, key: &[u8], value: &Bytes) -> Result<Self, Fault> {
        open(table, key, value, |fields| {
            Ok(match table {
                META => Self::Meta(fields.rest()),
                SESSION => Self::Session(Box::new(SessionRecord::read(fields)?)),
                SUBSCRIPTION => Self::Subscription(SubscriptionRecord::read(fields)?),
                QUEUE => Self::Entry(Entry::read(fields)?),
                MESSAGE => Self::Message(MessageRecord::read(fields)?),
                REFERENCE => Self::References(fields.u32()?),
                FLIGHT => Self::Flight(FlightRecord::read(fields)?),
                RECEIVED => Self::Received,
                RETAINED => Self::Retained(MessageRecord::read(fields)?),
                WILL => Self::Will(WillRecord::read(fields)?),
                GRAVE => Self::Grave,
                TRANSFER => Self::Transfer(TransferRecord::read(fields)?),
                Table(_) => return Err("its table is not known"),
            })
        })
    }
}

#[cfg(test)]
mod tests;
