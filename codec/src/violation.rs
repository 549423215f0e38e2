//! Who broke what: the one error of decoding.

pub(crate) mod rules;

use std::fmt;

use crate::{ConnackReason, DisconnectReason, PacketKind, Version};
use rules::{Fault, PROPERTIES, Rule};

/// A peer broke the standard. Says which clause, in which packet, and which reason code the peer is owed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    rule: &'static Rule,
    version: Version,
    packet: Option<PacketKind>,
}

/// A place in a standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Clause {
    /// The standard it stands in. For connections of 3.1, whose standard has no numbered clauses, it is 3.1.1.
    pub version: Version,
    /// Such as `MQTT-3.3.1-4`, or `section 2.2.2.2` where the rule has no number.
    pub id: &'static str,
}

impl Violation {
    #[cold]
    pub(crate) fn new(rule: &'static Rule, version: Version) -> Self {
        Self {
            rule,
            version,
            packet: None,
        }
    }

    pub(crate) fn in_packet(self, packet: PacketKind) -> Self {
        Self {
            packet: Some(packet),
            ..self
        }
    }

    /// The clause that was broken, in the standard of the connection.
    #[must_use]
    pub fn clause(&self) -> Clause {
        let version = self.version.max(Version::V311);
        let id = if version == Version::V5 {
            self.rule.v5
        } else {
            self.rule.v311
        };
        let id = if id == PROPERTIES {
            properties_section(self.packet)
        } else {
            id
        };
        Clause { version, id }
    }

    /// The reason code for a DISCONNECT in 5.0.
    #[must_use]
    pub fn reason(&self) -> DisconnectReason {
        match self.rule.fault {
            Fault::Malformed => DisconnectReason::MalformedPacket,
            Fault::Protocol | Fault::ProtocolVersion => DisconnectReason::ProtocolError,
            Fault::TooLarge => DisconnectReason::PacketTooLarge,
            Fault::TopicAlias => DisconnectReason::TopicAliasInvalid,
            Fault::TopicName => DisconnectReason::TopicNameInvalid,
            Fault::TopicFilter => DisconnectReason::TopicFilterInvalid,
        }
    }

    /// The reason code for a CONNACK, when the connection was not accepted yet.
    #[must_use]
    pub fn connack_reason(&self) -> ConnackReason {
        match self.rule.fault {
            Fault::Malformed => ConnackReason::MalformedPacket,
            Fault::Protocol | Fault::TopicAlias | Fault::TopicFilter => ConnackReason::ProtocolError,
            Fault::ProtocolVersion => ConnackReason::UnsupportedProtocolVersion,
            Fault::TooLarge => ConnackReason::PacketTooLarge,
            Fault::TopicName => ConnackReason::TopicNameInvalid,
        }
    }

    /// What was wrong, in a few words for the log.
    #[must_use]
    pub fn detail(&self) -> &'static str {
        self.rule.detail
    }

    /// The packet it was found in, when that much was readable.
    #[must_use]
    pub fn packet(&self) -> Option<PacketKind> {
        self.packet
    }
}

/// Where 5.0 describes the properties of a packet.
fn properties_section(packet: Option<PacketKind>) -> &'static str {
    match packet {
        Some(PacketKind::Connect) => "section 3.1.2.11",
        Some(PacketKind::Connack) => "section 3.2.2.3",
        Some(PacketKind::Publish) => "section 3.3.2.3",
        Some(PacketKind::Puback) => "section 3.4.2.2",
        Some(PacketKind::Pubrec) => "section 3.5.2.2",
        Some(PacketKind::Pubrel) => "section 3.6.2.2",
        Some(PacketKind::Pubcomp) => "section 3.7.2.2",
        Some(PacketKind::Subscribe) => "section 3.8.2.1",
        Some(PacketKind::Suback) => "section 3.9.2.1",
        Some(PacketKind::Unsubscribe) => "section 3.10.2.1",
        Some(PacketKind::Unsuback) => "section 3.11.2.1",
        Some(PacketKind::Disconnect) => "section 3.14.2.2",
        Some(PacketKind::Auth) => "section 3.15.2.2",
        Some(PacketKind::Pingreq | PacketKind::Pingresp) | None => "section 2.2.2.2",
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.id.starts_with("MQTT-") {
            write!(f, "[{}] in {}", self.id, self.version)
        } else {
            write!(f, "{} in {}", self.id, self.version)
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(packet) = self.packet {
            write!(f, "{packet}: ")?;
        }
        write!(f, "{} ({})", self.rule.detail, self.clause())
    }
}

impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Violation({self}, {:#04x})", self.reason().code())
    }
}

impl std::error::Error for Violation {}

#[cfg(test)]
mod tests;
