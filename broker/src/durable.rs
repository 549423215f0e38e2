//! What a line asks the store to keep, and how far the store has come.
//!
//! A line gathers the [`Change`]s of a turn into one [`Batch`], whose number counts up. Bytes that would promise
//! something to a client before the store has it wait in the client's outbox behind a [`Gate`] with that number; the
//! store's [`Progress`] opens it. A line never waits itself.

use std::sync::Arc;

use mqtt_codec::{ClientId, PacketId, QoS, TopicFilter, TopicName, Will};

pub(crate) use self::keeper::Keeper;

use crate::key::SessionKey;
use crate::message::{Message, Millis};
use crate::router::{ShareKey, SubscriptionIds, SubscriptionOptions};
use crate::session::Delivery;

mod keeper;
#[cfg(test)]
mod tests;

/// What an acknowledgement survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// Nothing: no store is asked.
    #[default]
    Memory,
    /// The end of the process.
    Os,
    /// The loss of power.
    Disk,
}

/// A session that the store keeps. Never given out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// An entry's place in its session's queue: later entries have higher ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u64);

/// A message whose body several queues share in the store. Never given out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u64);

/// What the store has of one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Its place in the queue.
    pub place: Place,
    /// How far it has come.
    pub stage: Stage,
    /// The body that it shares with other queues.
    pub body: Option<MessageId>,
}

/// How far a delivery has come, as the store knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// [`Change::Queue`] is all that was said of it.
    Queued,
    /// [`Change::Sent`] was said after that.
    Sent,
    /// [`Change::Released`] was said.
    Released,
}

/// A session as the store keeps it, apart from its subscriptions and messages.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionImage {
    /// Its number in the store.
    pub id: SessionId,
    /// Its client.
    pub client_id: ClientId,
    /// The user name of its last connection.
    pub username: Option<Box<str>>,
    /// Seconds that it outlives its connection.
    pub expiry_secs: u32,
    /// When its client left; `None`: it is connected.
    pub left_at: Option<Millis>,
    /// The will of its connection, or the one that waits for its delay.
    pub will: Option<Box<Will>>,
}

/// The will of a client whose session is not kept.
#[derive(Clone, Debug, PartialEq)]
pub struct WillImage {
    /// Its number in the store.
    pub id: SessionId,
    /// Whose will it is.
    pub client_id: ClientId,
    /// The user name of the connection.
    pub username: Option<Box<str>>,
    /// The will.
    pub will: Will,
}

/// A message in a session's queue.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where in the queue.
    pub place: Place,
    /// The message.
    pub message: Arc<Message>,
    /// QoS towards the session.
    pub qos: QoS,
    /// RETAIN flag towards the session.
    pub retain: bool,
    /// Identifiers of the subscriptions that it matched.
    pub ids: SubscriptionIds,
    /// The shared group that chose the session.
    pub via: Option<Arc<ShareKey>>,
    /// Other queues have the same body.
    pub shared: bool,
    /// It was sent at once under this packet id.
    pub packet_id: Option<PacketId>,
}

/// A message on its way to sessions on another line. The line that has it from its publisher answers for it until the
/// other has taken it over.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Its number; later ones have higher ones.
    pub place: Place,
    /// The message.
    pub message: Arc<Message>,
    /// Queues have the same body.
    pub shared: bool,
    /// The shared group that chose the session.
    pub via: Option<Arc<ShareKey>>,
    /// Who gets it.
    pub receivers: Vec<Addressee>,
}

/// A session that a [`Transfer`] is for.
#[derive(Clone, Debug)]
pub struct Addressee {
    /// Its number in the store.
    pub session: SessionId,
    /// QoS towards it.
    pub qos: QoS,
    /// RETAIN flag towards it.
    pub retain: bool,
    /// Identifiers of the subscriptions that the message matched.
    pub ids: SubscriptionIds,
}

/// One change of what the store keeps.
#[derive(Clone, Debug)]
pub enum Change {
    /// Keep this session, in place of what was kept of it.
    Session(Box<SessionImage>),
    /// The session ended: nothing of it is kept.
    EndSession(SessionId),
    /// Keep a subscription, in place of one with the same filter.
    Subscribe(SessionId, TopicFilter, SubscriptionOptions),
    /// Forget a subscription.
    Unsubscribe(SessionId, TopicFilter),
    /// Keep a message for a session.
    Queue(SessionId, Entry),
    /// A queued message was sent.
    Sent(SessionId, Place, PacketId),
    /// PUBREC has come: only the packet id is still needed.
    Released(SessionId, Holding, PacketId),
    /// The conversation is over, or the message was dropped.
    Done(SessionId, Holding),
    /// A QoS 2 message of this client's awaits its PUBREL.
    Received(SessionId, PacketId),
    /// PUBREL has come.
    Forgotten(SessionId, PacketId),
    /// The retained message of the topic is another or gone: keep what the tables say.
    Retained(TopicName),
    /// Keep a message for sessions on another line until that line has it.
    Transfer(Box<Transfer>),
    /// The line has it: with the body that it shared.
    Transferred(Place, Option<MessageId>),
    /// Keep the will of a client whose session is not kept.
    Will(Box<WillImage>),
    /// Forget that will.
    NoWill(SessionId),
}

/// What a line wants to have read. Answered by [`Line::fetched`](crate::line::Line::fetched).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Who asks.
    pub session: SessionKey,
    /// Its number in the store.
    pub id: SessionId,
    /// What of it.
    pub what: Wanted,
}

/// What of a session is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Its conversations of QoS 1 and 2, and the first entries of its queue, at most so many.
    Conversations(usize),
    /// The entries of its queue behind this place, at most so many.
    Window(Place, usize),
    /// How many entries lie behind this place. Those whose time is over are dropped on the way.
    Count(Place),
}

/// What was read for a session.
#[derive(Debug)]
pub struct Fetched {
    /// Who asked.
    pub session: SessionKey,
    /// Its number in the store.
    pub id: SessionId,
    /// What was found.
    pub found: Found,
}

/// An answer to [`Wanted`].
#[derive(Debug)]
pub enum Found {
    /// See [`Wanted::Conversations`].
    Conversations {
        /// QoS 2 messages from the client that await their PUBREL.
        received: Vec<PacketId>,
        /// Conversations with the client, in any order.
        open: Vec<OpenDelivery>,
        /// What is queued behind them.
        window: Window,
    },
    /// See [`Wanted::Window`].
    Window(Window),
    /// The store has it and cannot read it: it is damaged.
    Unreadable,
    /// See [`Wanted::Count`]: entries, and their bytes by [`Message::cost`].
    Count {
        /// The place that was asked with.
        after: Place,
        /// Entries behind it.
        entries: usize,
        /// Their bytes.
        bytes: usize,
        /// Entries that were dropped because their time is over.
        expired: usize,
    },
}

/// Part of a queue, oldest first.
#[derive(Debug, Default)]
pub struct Window {
    /// The entries.
    pub deliveries: Vec<Delivery>,
    /// Whether there are more behind them.
    pub more: bool,
}

/// A conversation that was open when the store last heard of it.
#[derive(Debug)]
pub struct OpenDelivery {
    /// Its packet id.
    pub packet_id: PacketId,
    /// Where it stands in the queue.
    pub place: Place,
    /// The message; `None`: PUBREC has come.
    pub delivery: Option<Delivery>,
}

/// All that one turn of a line has for the store.
#[derive(Debug)]
pub struct Batch {
    /// The line.
    pub line: u16,
    /// Counts the line's batches, from 1.
    pub number: u64,
    /// What to keep, in order.
    pub changes: Vec<Change>,
    /// What to read afterwards.
    pub fetches: Vec<Fetch>,
    /// The highest that any of it asks for; [`Durability::Memory`]: nobody waits for it.
    pub durability: Durability,
    /// The highest number that the line has given out.
    pub serial: u64,
}

/// The batches of a line up to which everything is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// By the kernel.
    pub written: u64,
    /// By the device.
    pub synced: u64,
}

impl Progress {
    /// Whether what stands behind the gate may go out.
    #[must_use]
    pub const fn opens(self, gate: Gate) -> bool {
        match gate.durability {
            Durability::Memory => true,
            Durability::Os => self.written >= gate.number,
            Durability::Disk => self.synced >= gate.number,
        }
    }
}

/// A point in an outbox that nothing passes until the store has come as far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// The batch.
    pub number: u64,
    /// What it has to survive.
    pub durability: Durability,
}

/// How the store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It keeps what it is given.
    #[default]
    Well,
    /// It has no room for more messages; what frees room it takes.
    Full,
    /// It failed: nothing is promised any more until the broker is started again.
    Failed,
}
