//! MQTT packets to bytes and back, for 3.1, 3.1.1 and 5.0.
//!
//! Nothing in this crate reads a socket or keeps a state: what is on the wire becomes a value, and a value becomes
//! bytes. It is strict, because a peer that breaks the standard is told so here, once, with the clause it broke
//! ([`Violation`]), and nobody behind this crate has to ask again whether a topic holds a wildcard or a packet id is 0.
//!
//! Topics and payloads are slices of the buffer they arrived in. Whoever keeps one for long calls `detach`, or the
//! whole buffer stays alive with it.
//!
//! Start at [`decode`] and [`Packet`]; each packet has a file of its own with the same three verbs: `decode`,
//! `encode`, `encoded_len`. A message for many receivers is encoded once by [`Template`].

mod ack;
mod auth;
mod client_id;
mod connack;
mod connect;
mod disconnect;
mod encode;
mod frame;
mod packet;
mod packet_id;
mod ping;
mod properties;
mod puback;
mod pubcomp;
mod publish;
mod pubrec;
mod pubrel;
mod qos;
mod reader;
mod reason;
mod sender;
mod suback;
mod subscribe;
mod text;
mod topic;
mod unsuback;
mod unsubscribe;
mod varint;
mod version;
mod violation;
mod will;

#[cfg(test)]
mod tests;

pub use ack::{AckProperties, encode_short};
pub use auth::Auth;
pub use client_id::ClientId;
pub use connack::{Connack, ConnackProperties};
pub use connect::{Connect, ConnectProperties};
pub use disconnect::Disconnect;
pub use encode::{EncodeError, REMAINING_LENGTH_MAX, TEXT_BYTES_MAX};
pub use frame::{Frame, announced_version, decode, decode_connect, frame};
pub use packet::{Packet, PacketKind};
pub use packet_id::{PacketId, SubscriptionId};
pub use properties::UserProperties;
pub use puback::Puback;
pub use pubcomp::Pubcomp;
pub use publish::template::{Alias, Patch, Template};
pub use publish::{Publish, PublishProperties};
pub use pubrec::Pubrec;
pub use pubrel::Pubrel;
pub use qos::{QoS, QoSOutOfRange};
pub use reason::{
    AuthReason, ConnackReason, DisconnectReason, PubackReason, PubcompReason, PubrecReason, PubrelReason, SubackReason,
    UnsubackReason,
};
pub use sender::Sender;
pub use suback::Suback;
pub use subscribe::{RetainHandling, Subscribe, SubscribeFilter};
pub use topic::{TopicFilter, TopicName};
pub use unsuback::Unsuback;
pub use unsubscribe::Unsubscribe;
pub use version::Version;
pub use violation::{Clause, Violation};
pub use will::Will;
