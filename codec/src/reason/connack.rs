//! The bridge between the reason codes of 5.0 and the six return codes of 3.x.

use super::ConnackReason;

impl ConnackReason {
    /// The return code of 3.x, or `None` when none fits and the connection is closed without a CONNACK:
    /// [MQTT-3.2.2-6] in 3.1.1.
    #[must_use]
    pub const fn v3_code(self) -> Option<u8> {
        match self {
            Self::Success => Some(0),
            Self::UnsupportedProtocolVersion => Some(1),
            Self::ClientIdentifierNotValid => Some(2),
            Self::ServerUnavailable => Some(3),
            Self::BadUserNameOrPassword => Some(4),
            Self::NotAuthorized => Some(5),
            Self::UnspecifiedError
            | Self::MalformedPacket
            | Self::ProtocolError
            | Self::ImplementationSpecificError
            | Self::ServerBusy
            | Self::Banned
            | Self::BadAuthenticationMethod
            | Self::TopicNameInvalid
            | Self::PacketTooLarge
            | Self::QuotaExceeded
            | Self::PayloadFormatInvalid
            | Self::RetainNotSupported
            | Self::QoSNotSupported
            | Self::UseAnotherServer
            | Self::ServerMoved
            | Self::ConnectionRateExceeded => None,
        }
    }

    /// What a return code of 3.x means; `None` for the reserved codes 6 to 255.
    #[must_use]
    pub const fn from_v3_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Success),
            1 => Some(Self::UnsupportedProtocolVersion),
            2 => Some(Self::ClientIdentifierNotValid),
            3 => Some(Self::ServerUnavailable),
            4 => Some(Self::BadUserNameOrPassword),
            5 => Some(Self::NotAuthorized),
            _ => None,
        }
    }
}
