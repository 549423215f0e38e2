//! What a line wants done by its surroundings, as values.

use std::sync::Arc;

use mqtt_codec::{ClientId, Version};

use crate::durable::{Durability, Place};
use crate::key::SessionKey;
use crate::limits::{Limit, LimitReached};
use crate::line::{ConnectionKey, Peer, Proving};
use crate::message::Message;
use crate::notes::Note;
use crate::router::{Receiver, ShareKey};
use crate::routing::RouteRequest;
use crate::session::{Outbox, Trail};
use crate::traces::Span;

/// A wish that leaves a line.
#[derive(Debug)]
pub enum Effect {
    /// Write what is left, then close the connection.
    Close(Box<Closing>),
    /// Have the router change subscriptions; its answer comes back by
    /// [`Line::routed`](crate::line::Line::routed).
    Route(RouteRequest),
    /// Read the connection again after [`Flow::Hold`](crate::line::Flow::Hold).
    Resume(ConnectionKey),
    /// Tell the log that a client has reached a limit.
    Limited(Box<LimitReached>),
    /// Tell the flight recorder, and those who watch, what was decided about a client.
    Noted(Box<Note>),
    /// Have a client judged that authenticates again; the verdict comes back by
    /// [`Line::judged`](crate::line::Line::judged).
    Prove(Box<Proving>),
    /// Tell who watches of a step of a traced message.
    Traced(Box<Span>),
}

/// The end of a connection.
#[derive(Debug)]
pub struct Closing {
    /// Which connection.
    pub connection: ConnectionKey,
    /// What is still to be written, with the DISCONNECT at its end where one is due.
    pub last_words: Outbox,
    /// What the log says.
    pub record: ClosingRecord,
}

/// What an operator wants to know about a connection that ended.
#[derive(Debug)]
pub struct ClosingRecord {
    /// The client.
    pub client_id: ClientId,
    /// Its address.
    pub peer: Peer,
    /// Its protocol version.
    pub version: Version,
    /// Who ended it and why.
    pub cause: Cause,
    /// The reason code that was sent or received; for 3.x the one that 5.0 would have.
    pub reason_code: u8,
    /// How long it lasted.
    pub lasted_millis: u64,
    /// Packets received and sent.
    pub packets_in: u64,
    /// See `packets_in`.
    pub packets_out: u64,
    /// The last packets.
    pub trail: Trail,
}

/// Who ended a connection and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The client, by DISCONNECT.
    ClientDisconnected,
    /// The client or the network, without DISCONNECT; with the transport's error.
    ConnectionLost(String),
    /// The broker: silence for longer than one and a half times Keep Alive.
    KeepAliveTimeout,
    /// The broker: the client connected elsewhere.
    TakenOver,
    /// The broker: the client broke a rule of the protocol, named here with its clause.
    Violation(String),
    /// The broker: a request was refused and the version has no other way to say so.
    Refused(crate::exchange::Refusal),
    /// The broker: its overseer ended the connection.
    Policy(crate::exchange::Refusal),
    /// The broker: the client does not take its messages fast enough and its queue is full.
    QueueFull,
    /// The broker: the client sends faster than it may.
    TooFast(Limit),
    /// The broker: a change of rights took a subscription of the client's.
    RightLost,
    /// The broker: what the client proved itself with has expired.
    IdentityExpired,
    /// The broker: the client did not prove itself again when it set out to, for this reason.
    NotProven(&'static str),
    /// The broker: other settings do not let it stay.
    Expelled(Parting),
    /// The broker is stopping.
    ServerStopping,
    /// The operator, who sends clients to another server.
    SentAway,
    /// The broker: an operator ended the connection, with his words.
    Administrative(String),
    /// The broker: an error of its own, in this connection alone.
    Panic,
}

/// Why other settings do not let a connected client stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parting {
    /// The listener that it came in by is closed or is another one; with its number.
    ListenerGone(u32),
    /// Its client identifier, its user name or its address is banned.
    Banned,
    /// Nobody knows its user any more, or nobody lets in clients without a name.
    NotKnown,
}

impl Parting {
    /// What its client is told.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::ListenerGone(_) => "this listener is closed",
            Self::Banned => "the client is banned",
            Self::NotKnown => "the client is known no more",
        }
    }
}

impl Cause {
    /// One of `client`, `network`, `broker`.
    #[must_use]
    pub const fn culprit(&self) -> &'static str {
        match self {
            Self::ClientDisconnected
            | Self::KeepAliveTimeout
            | Self::TakenOver
            | Self::Violation(_)
            | Self::NotProven(_) => "client",
            Self::ConnectionLost(_) => "network",
            Self::Refused(_)
            | Self::Policy(_)
            | Self::QueueFull
            | Self::TooFast(_)
            | Self::RightLost
            | Self::IdentityExpired
            | Self::Expelled(_)
            | Self::ServerStopping
            | Self::SentAway
            | Self::Administrative(_)
            | Self::Panic => "broker",
        }
    }

    /// Whether the client's side of the connection is over, so that there is no end of it to wait for.
    #[must_use]
    pub const fn client_has_left(&self) -> bool {
        matches!(self, Self::ClientDisconnected | Self::ConnectionLost(_))
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ClientDisconnected => f.write_str("client disconnected"),
            Self::ConnectionLost(error) => write!(f, "connection lost: {error}"),
            Self::KeepAliveTimeout => f.write_str("no packet within one and a half times the keep alive"),
            Self::TakenOver => f.write_str("session taken over by another connection"),
            Self::Violation(violation) => write!(f, "protocol violation: {violation}"),
            Self::Refused(refusal) => write!(f, "request refused: {refusal:?}"),
            Self::Policy(refusal) => write!(f, "ended by the policy: {refusal:?}"),
            Self::QueueFull => f.write_str("queue full: the client does not take its messages fast enough"),
            Self::TooFast(limit) => f.write_str(limit.says()),
            Self::RightLost => f.write_str("a change of rights took a subscription of this client"),
            Self::IdentityExpired => f.write_str("credentials expired"),
            Self::NotProven(why) => write!(f, "re-authentication failed: {why}"),
            Self::Expelled(why) => write!(f, "other settings are in force: {}", why.says()),
            Self::ServerStopping => f.write_str("broker stopping"),
            Self::SentAway => f.write_str("sent to another server by the operator"),
            Self::Administrative(words) if words.is_empty() => f.write_str("ended by an operator"),
            Self::Administrative(words) => write!(f, "ended by an operator: {words}"),
            Self::Panic => f.write_str("internal error"),
        }
    }
}

/// One message for receivers on another line, by reference.
#[derive(Clone, Debug)]
pub struct Forward {
    /// The message.
    pub message: Arc<Message>,
    /// Who gets it there.
    pub receivers: Arc<[Receiver]>,
    /// The shared group that chose the receiver, if one did.
    pub via: Option<Arc<ShareKey>>,
    /// Members of that group that could not take it and are not asked again.
    pub refused: Vec<SessionKey>,
    /// What it has to survive in the queues that take it.
    pub durability: Durability,
    /// Several queues may take it, on whatever lines.
    pub shared: bool,
    /// The store has it for sessions among the receivers, until this line has taken it over.
    pub transfer: Option<Place>,
}
