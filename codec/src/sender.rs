//! Which side may send what: checked apart from decoding, because the bytes do not say who sent them.

use crate::violation::rules::{self, Rule};
use crate::{AuthReason, Packet, Version, Violation};

/// Who sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sender {
    /// The side that opened the connection.
    Client,
    /// The side that accepted it.
    Server,
}

impl Packet {
    /// Checks a packet that came after CONNECT against what its sender may send.
    ///
    /// # Errors
    ///
    /// A second CONNECT ([MQTT-3.1.0-2] in 3.1.1 and 5.0), a packet, property or reason code that belongs to the other
    /// side, such as a Subscription Identifier from a client ([MQTT-3.3.4-6] in 5.0).
    #[inline]
    pub fn check_sender(&self, sender: Sender, version: Version) -> Result<(), Violation> {
        let rule = match sender {
            Sender::Client => self.broken_by_client(),
            Sender::Server => self.broken_by_server(version),
        };
        rule.map_or(Ok(()), |rule| Err(Violation::new(rule, version).in_packet(self.kind())))
    }

    #[inline]
    fn broken_by_client(&self) -> Option<&'static Rule> {
        match self {
            Self::Publish(publish) => {
                let properties = publish.properties.as_ref()?;
                (!properties.subscription_ids.is_empty()).then_some(&rules::CLIENT_SENT_SUBSCRIPTION_ID)
            }
            Self::Puback(_)
            | Self::Pubrec(_)
            | Self::Pubrel(_)
            | Self::Pubcomp(_)
            | Self::Subscribe(_)
            | Self::Unsubscribe(_)
            | Self::Pingreq => None,
            Self::Disconnect(disconnect) => {
                (!disconnect.reason.allowed_from_client()).then_some(&rules::DISCONNECT_REASON_OF_SERVER)
            }
            Self::Auth(auth) => (auth.reason == AuthReason::Success).then_some(&rules::AUTH_REASON_OF_SERVER),
            Self::Connect(_) => Some(&rules::SECOND_CONNECT),
            Self::Connack(_) | Self::Suback(_) | Self::Unsuback(_) | Self::Pingresp => Some(&rules::NOT_FROM_CLIENT),
        }
    }

    fn broken_by_server(&self, version: Version) -> Option<&'static Rule> {
        match self {
            Self::Connack(_)
            | Self::Publish(_)
            | Self::Puback(_)
            | Self::Pubrec(_)
            | Self::Pubrel(_)
            | Self::Pubcomp(_)
            | Self::Suback(_)
            | Self::Unsuback(_)
            | Self::Pingresp => None,
            Self::Disconnect(_) if version != Version::V5 => Some(&rules::NOT_FROM_SERVER),
            Self::Disconnect(disconnect) => disconnect
                .session_expiry_secs
                .map(|_| &rules::SERVER_SENT_SESSION_EXPIRY),
            Self::Auth(auth) => (auth.reason == AuthReason::ReAuthenticate).then_some(&rules::AUTH_REASON_OF_CLIENT),
            Self::Connect(_) | Self::Subscribe(_) | Self::Unsubscribe(_) | Self::Pingreq => {
                Some(&rules::NOT_FROM_SERVER)
            }
        }
    }
}

#[cfg(test)]
mod tests;
