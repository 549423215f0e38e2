//! A session's connection: what is true of it only while it lasts.

use mqtt_codec::{Packet, PacketId, QoS, SubscribeFilter, SubscriptionId, TopicName, Version, Will};

use super::{Outbox, Trail};
use crate::durable::SessionId;
use crate::exchange::{AuthenticateStep, Exchange, Refusal, phase};
use crate::limits::Pace;
use crate::line::Peer;
use crate::message::Millis;
use crate::traces::TracedWrites;

/// The connection of a session.
#[derive(Debug)]
pub(crate) struct Link {
    /// Tells this connection from the ones that the slot had before.
    pub(crate) epoch: u32,
    pub(crate) version: Version,
    pub(crate) peer: Peer,
    pub(crate) out: Outbox,
    /// Whether the line's list of connections to be written has this one.
    pub(crate) dirty: bool,
    /// Whether the line's list of sessions with more to send has this one.
    pub(crate) awaits_turn: bool,
    /// Messages sent from what waited since it had its turn or was written.
    pub(crate) spurt: u16,
    /// The client's Receive Maximum.
    pub(crate) window: u16,
    /// The client's Maximum Packet Size, in bytes.
    pub(crate) packet_bytes_max: u32,
    /// `None` as long as neither side has given a topic a number.
    pub(crate) aliases: Option<Box<Aliases>>,
    pub(crate) alias_out_max: u16,
    /// The Topic Alias Maximum that the client was granted.
    pub(crate) alias_max: u16,
    /// The Receive Maximum that the client was granted.
    pub(crate) receive_max: u16,
    /// One and a half times Keep Alive, in milliseconds; 0: none.
    pub(crate) silence_millis_max: u32,
    pub(crate) heard_at: Millis,
    /// When the timer looks next.
    pub(crate) looks_at: Millis,
    /// It goes on with a session that was there, so that what the client sends may be a repeat.
    pub(crate) resumed: bool,
    /// Session Expiry Interval of CONNECT was 0, so DISCONNECT may not raise it.
    pub(crate) expiry_was_zero: bool,
    pub(crate) will: Option<Box<Will>>,
    /// The number of that will in the store, where the session is not kept.
    pub(crate) will_id: Option<SessionId>,
    /// SUBSCRIBE and UNSUBSCRIBE exchanges that wait for the router.
    pub(crate) pending: Vec<Pending>,
    /// An exchange that the overseer holds; the connection is not read meanwhile.
    pub(crate) held: Option<Box<Held>>,
    /// How fast the client may send.
    pub(crate) pace: Pace,
    /// The client was known by an authentication method of 5.0, and may be so again.
    pub(crate) authentication: Option<Box<Authentication>>,
    /// Whether the CONNACK has left, or part of it.
    pub(crate) is_greeted: bool,
    /// Whether the shell was told to stop reading.
    pub(crate) paused: bool,
    /// Nothing is read while the session's conversations are not: a PUBLISH may be a repeat.
    pub(crate) asleep: bool,
    /// Traced messages among those that wait to be written.
    pub(crate) traced: Option<Box<TracedWrites>>,
    /// The groups that the operator has its client counted by.
    pub(crate) classes: u64,
    /// Messages among the bytes that wait to be written, and when the oldest of them arrived.
    pub(crate) unwritten: u32,
    pub(crate) unwritten_since_micros: u64,
    pub(crate) opened_at: Millis,
    pub(crate) trail: Trail,
    pub(crate) packets_in: u64,
    pub(crate) packets_out: u64,
}

/// Topic aliases of 5.0.
#[derive(Debug, Default)]
pub(crate) struct Aliases {
    /// Topics that the client has given a number, by number.
    pub(crate) inward: Vec<Option<TopicName>>,
    /// Topics that the broker has given a number, from 1 on.
    pub(crate) outward: Vec<TopicName>,
}

/// How a client was known, and how far it is with being known again.
#[derive(Debug)]
pub(crate) struct Authentication {
    /// That of CONNECT.
    pub(crate) method: Box<str>,
    pub(crate) step: AuthenticateStep,
    /// When it ends if it is not settled by then.
    pub(crate) due_at: Millis,
}

/// A request that the router is working on.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) exchange: Exchange<phase::Blocked>,
    pub(crate) packet_id: PacketId,
    pub(crate) asked: Asked,
}

/// What the router was asked, as far as its answer needs it.
#[derive(Debug)]
pub(crate) enum Asked {
    Subscribe {
        filters: Vec<SubscribeFilter>,
        subscription_id: Option<SubscriptionId>,
        /// What was refused before the router was asked, by place.
        refused: Vec<Option<Refusal>>,
    },
    Unsubscribe {
        /// As above.
        refused: Vec<Option<Refusal>>,
    },
}

/// A request that the overseer lets wait.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) exchange: Exchange<phase::Blocked>,
    pub(crate) packet: Packet,
    /// What was said of its first filters, which are not asked about again.
    pub(crate) said: Vec<Said>,
}

/// What the overseer said of one filter of a SUBSCRIBE or UNSUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It may be, with this QoS at most.
    Granted(QoS),
    Refused(Refusal),
    /// It is to be refused in silence.
    Canceled,
}
