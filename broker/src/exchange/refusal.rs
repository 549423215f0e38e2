//! Why the broker refuses a request: one list, mapped to each packet's reason codes here and nowhere else.

use mqtt_codec::{ConnackReason, DisconnectReason, PubackReason, PubrecReason, SubackReason, UnsubackReason, Version};

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The policy forbids it.
    NotAuthorized,
    /// User name or password is wrong.
    BadCredentials,
    /// The client, its user or its address is banned.
    Banned,
    /// An authentication method that the broker does not offer.
    BadAuthenticationMethod,
    /// The client identifier is not acceptable.
    ClientIdInvalid,
    /// The topic name is not acceptable to this broker: too long, too deep, or one of the broker's own.
    TopicNameInvalid,
    /// The topic filter is not acceptable to this broker.
    TopicFilterInvalid,
    /// A bound of the broker or of a receiver is reached.
    QuotaExceeded,
    /// The client connects too often.
    ConnectionRateExceeded,
    /// The packet is larger than allowed.
    PacketTooLarge,
    /// The broker is stopping or has no room for another connection.
    ServerUnavailable,
    /// No more specific reason.
    Unspecified,
}

impl Refusal {
    /// All refusals, in the order of the counters.
    pub const ALL: [Self; 12] = [
        Self::NotAuthorized,
        Self::BadCredentials,
        Self::Banned,
        Self::BadAuthenticationMethod,
        Self::ClientIdInvalid,
        Self::TopicNameInvalid,
        Self::TopicFilterInvalid,
        Self::QuotaExceeded,
        Self::ConnectionRateExceeded,
        Self::PacketTooLarge,
        Self::ServerUnavailable,
        Self::Unspecified,
    ];

    /// The CONNACK that says so.
    #[must_use]
    pub const fn connack(self) -> ConnackReason {
        match self {
            Self::NotAuthorized => ConnackReason::NotAuthorized,
            Self::BadCredentials => ConnackReason::BadUserNameOrPassword,
            Self::Banned => ConnackReason::Banned,
            Self::BadAuthenticationMethod => ConnackReason::BadAuthenticationMethod,
            Self::ClientIdInvalid => ConnackReason::ClientIdentifierNotValid,
            Self::TopicNameInvalid | Self::TopicFilterInvalid => ConnackReason::TopicNameInvalid,
            Self::QuotaExceeded => ConnackReason::QuotaExceeded,
            Self::ConnectionRateExceeded => ConnackReason::ConnectionRateExceeded,
            Self::PacketTooLarge => ConnackReason::PacketTooLarge,
            Self::ServerUnavailable => ConnackReason::ServerUnavailable,
            Self::Unspecified => ConnackReason::UnspecifiedError,
        }
    }

    /// The CONNACK that says so to a client of this version: 3.x has no words for a rate, and 0x03 has it come back later.
    #[must_use]
    pub const fn connack_in(self, version: Version) -> ConnackReason {
        match (self, version) {
            (Self::ConnectionRateExceeded, Version::V31 | Version::V311) => ConnackReason::ServerUnavailable,
            _ => self.connack(),
        }
    }

    /// The PUBACK that says so.
    #[must_use]
    pub const fn puback(self) -> PubackReason {
        match self {
            Self::NotAuthorized | Self::BadCredentials | Self::Banned | Self::BadAuthenticationMethod => {
                PubackReason::NotAuthorized
            }
            Self::TopicNameInvalid | Self::TopicFilterInvalid => PubackReason::TopicNameInvalid,
            Self::QuotaExceeded => PubackReason::QuotaExceeded,
            Self::ClientIdInvalid
            | Self::ConnectionRateExceeded
            | Self::PacketTooLarge
            | Self::ServerUnavailable
            | Self::Unspecified => PubackReason::UnspecifiedError,
        }
    }

    /// The PUBREC that says so.
    #[must_use]
    pub const fn pubrec(self) -> PubrecReason {
        match self {
            Self::NotAuthorized | Self::BadCredentials | Self::Banned | Self::BadAuthenticationMethod => {
                PubrecReason::NotAuthorized
            }
            Self::TopicNameInvalid | Self::TopicFilterInvalid => PubrecReason::TopicNameInvalid,
            Self::QuotaExceeded => PubrecReason::QuotaExceeded,
            Self::ClientIdInvalid
            | Self::ConnectionRateExceeded
            | Self::PacketTooLarge
            | Self::ServerUnavailable
            | Self::Unspecified => PubrecReason::UnspecifiedError,
        }
    }

    /// The code in SUBACK that says so.
    #[must_use]
    pub const fn suback(self) -> SubackReason {
        match self {
            Self::NotAuthorized | Self::BadCredentials | Self::Banned | Self::BadAuthenticationMethod => {
                SubackReason::NotAuthorized
            }
            Self::TopicNameInvalid | Self::TopicFilterInvalid => SubackReason::TopicFilterInvalid,
            Self::QuotaExceeded => SubackReason::QuotaExceeded,
            Self::ClientIdInvalid
            | Self::ConnectionRateExceeded
            | Self::PacketTooLarge
            | Self::ServerUnavailable
            | Self::Unspecified => SubackReason::UnspecifiedError,
        }
    }

    /// The code in UNSUBACK that says so.
    #[must_use]
    pub const fn unsuback(self) -> UnsubackReason {
        match self {
            Self::NotAuthorized | Self::BadCredentials | Self::Banned | Self::BadAuthenticationMethod => {
                UnsubackReason::NotAuthorized
            }
            Self::TopicNameInvalid | Self::TopicFilterInvalid => UnsubackReason::TopicFilterInvalid,
            Self::ClientIdInvalid
            | Self::QuotaExceeded
            | Self::ConnectionRateExceeded
            | Self::PacketTooLarge
            | Self::ServerUnavailable
            | Self::Unspecified => UnsubackReason::UnspecifiedError,
        }
    }

    /// The DISCONNECT that says so.
    #[must_use]
    pub const fn disconnect(self) -> DisconnectReason {
        match self {
            Self::NotAuthorized | Self::BadCredentials | Self::Banned | Self::BadAuthenticationMethod => {
                DisconnectReason::NotAuthorized
            }
            Self::TopicNameInvalid => DisconnectReason::TopicNameInvalid,
            Self::TopicFilterInvalid => DisconnectReason::TopicFilterInvalid,
            Self::QuotaExceeded => DisconnectReason::QuotaExceeded,
            Self::ConnectionRateExceeded => DisconnectReason::ConnectionRateExceeded,
            Self::PacketTooLarge => DisconnectReason::PacketTooLarge,
            Self::ServerUnavailable => DisconnectReason::ServerBusy,
            Self::ClientIdInvalid | Self::Unspecified => DisconnectReason::UnspecifiedError,
        }
    }
}
