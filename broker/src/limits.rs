//! Every bound that the brain keeps, as values. All of them are settings.

use mqtt_codec::{PacketId, TopicFilter};

use crate::classes::Classes;
use crate::durable::Durability;
use crate::traces::TraceLimits;

mod limit;
mod rates;

pub(crate) use limit::Noticed;
pub use limit::{Limit, LimitReached};
pub(crate) use rates::{Excess, Pace};
pub use rates::{Rate, RateBook, Rates, TooFast};

/// What happens to a QoS 1 or 2 message when a receiver that is away has a full queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueFull {
    /// The publisher is told so before anything is acknowledged: 0x97 in 5.0, the end of its connection in 3.x.
    Refuse,
    /// The receiver misses the message, and the drop is counted.
    Drop,
}

/// What rights mean where the standard leaves a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// A topic filter of which only a part is allowed is granted, and each delivery judged. Else it is refused.
    pub wide_subscriptions: bool,
    /// A session can be taken up only by the user name that opened it.
    pub owned_sessions: bool,
    /// A client that loses a subscription with a change of rights is disconnected (0x87 in 5.0), so that it learns of
    /// it. Else it stays, without the subscription.
    pub loss_disconnects: bool,
    /// Decisions that one line remembers, at some 100 bytes each.
    pub cached_decisions_max: usize,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            wide_subscriptions: true,
            owned_sessions: true,
            loss_disconnects: true,
            cached_decisions_max: 65_536,
        }
    }
}

/// The bounds of sessions and connections.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest packet that is read, in bytes.
    pub packet_bytes_max: u32,
    /// Longest client identifier, in bytes.
    pub client_id_bytes_max: usize,
    /// Longest topic name and topic filter, in bytes.
    pub topic_bytes_max: usize,
    /// Most levels in a topic name that is published.
    pub topic_levels_max: usize,
    /// Longest time that a session is kept after its connection, in seconds.
    pub expiry_secs_max: u32,
    /// Most messages that wait in one session.
    pub queue_messages_max: usize,
    /// Most bytes that wait in one session, by [`Message::cost`](crate::message::Message::cost).
    pub queue_bytes_max: usize,
    /// What to do when that is reached.
    pub queue_full: QueueFull,
    /// Receive Maximum that the broker grants to clients of 5.0.
    pub receive_max: u16,
    /// Most unacknowledged messages sent to a client of 5.0, if its own Receive Maximum is not lower.
    pub inflight_max: u16,
    /// The same for clients of 3.1 and 3.1.1, which cannot say.
    pub inflight_max_v3: u16,
    /// Most QoS 2 messages of one client that await their PUBREL.
    pub qos2_pending_max: usize,
    /// Topic Alias Maximum granted to clients of 5.0.
    pub alias_max: u16,
    /// Most topic aliases that the broker uses towards a client.
    pub alias_out_max: u16,
    /// Longest keep alive, in seconds.
    pub keep_alive_secs_max: u16,
    /// How long a connected client may take to authenticate again, in seconds.
    pub authentication_secs_max: u32,
    /// Most bytes that wait to be written to one connection.
    pub out_bytes_max: usize,
    /// SUBSCRIBE and UNSUBSCRIBE packets of one connection that may wait for the router.
    pub route_requests_max: usize,
    /// Topics whose receivers one line remembers.
    pub cached_topics_max: usize,
    /// What an acknowledgement survives; with [`Durability::Memory`] no session outlives the broker.
    pub durability: Durability,
    /// The same for the messages of some topics; the first filter that matches decides.
    pub durability_rules: Vec<(TopicFilter, Durability)>,
    /// Messages of one queue that are kept in memory; what is behind them is read back from the store.
    pub queue_memory_messages: usize,
    /// Start of the Response Information that clients of 5.0 may ask for; the client identifier follows. Empty: none.
    pub response_prefix: String,
    /// What rights mean.
    pub access: Access,
    /// How fast one client may send.
    pub rates: RateBook,
    /// Which messages are traced.
    pub traces: TraceLimits,
    /// What is counted apart.
    pub classes: Classes,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packet_bytes_max: 1 << 20,
            client_id_bytes_max: 256,
            topic_bytes_max: 4096,
            topic_levels_max: 128,
            expiry_secs_max: 7 * 24 * 3600,
            queue_messages_max: 10_000,
            queue_bytes_max: 16 << 20,
            queue_full: QueueFull::Refuse,
            receive_max: 1000,
            inflight_max: u16::MAX,
            inflight_max_v3: 1000,
            qos2_pending_max: 1000,
            alias_max: 32,
            alias_out_max: 32,
            keep_alive_secs_max: 3600,
            authentication_secs_max: 10,
            out_bytes_max: 1 << 20,
            route_requests_max: 64,
            cached_topics_max: 65_536,
            durability: Durability::Memory,
            durability_rules: Vec::new(),
            queue_memory_messages: 1000,
            response_prefix: "response/".to_owned(),
            access: Access::default(),
            rates: RateBook::default(),
            traces: TraceLimits::default(),
            classes: Classes::default(),
        }
    }
}

impl Limits {
    /// Receive Maximum in force: what is granted is what is kept, so that a client within it is never ended.
    #[must_use]
    pub fn receive_window(&self) -> u16 {
        u16::try_from(self.qos2_pending_max)
            .unwrap_or(u16::MAX)
            .clamp(1, self.receive_max.max(1))
    }
}

/// Packet ids in use at once can never exceed the id space.
pub(crate) const PACKET_IDS: usize = u16::MAX as usize;

/// The id after `id`, around 65,535 to 1.
pub(crate) fn next_packet_id(id: PacketId) -> PacketId {
    id.get()
        .checked_add(1)
        .and_then(PacketId::new)
        .unwrap_or(FIRST_PACKET_ID)
}

/// The id that a session starts with.
pub(crate) const FIRST_PACKET_ID: PacketId = PacketId::MIN;
