//! Reason codes: a type per packet, so that a code which the standard does not list for a packet cannot be sent in it.

mod connack;

/// Defines the reason codes of one packet, with the standard's names.
macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $code:literal $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(
                #[doc = concat!("`", stringify!($code), "`: ", $text, ".")]
                $variant = $code,
            )*
        }

        impl $name {
            /// Every reason of this packet, by rising code.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The code as the wire carries it in 5.0.
            #[must_use]
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// `None` when this packet must not carry the code.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Whether it refuses: 0x80 and above do.
            #[must_use]
            pub const fn is_error(self) -> bool {
                self.code() >= 0x80
            }

            /// The standard's name for it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

reasons! {
    /// Why a connection was accepted or refused.
    ConnackReason {
        Success = 0x00 "Success",
        UnspecifiedError = 0x80 "Unspecified error",
        MalformedPacket = 0x81 "Malformed Packet",
        ProtocolError = 0x82 "Protocol Error",
        ImplementationSpecificError = 0x83 "Implementation specific error",
        UnsupportedProtocolVersion = 0x84 "Unsupported Protocol Version",
        ClientIdentifierNotValid = 0x85 "Client Identifier not valid",
        BadUserNameOrPassword = 0x86 "Bad User Name or Password",
        NotAuthorized = 0x87 "Not authorized",
        ServerUnavailable = 0x88 "Server unavailable",
        ServerBusy = 0x89 "Server busy",
        Banned = 0x8A "Banned",
        BadAuthenticationMethod = 0x8C "Bad authentication method",
        TopicNameInvalid = 0x90 "Topic Name invalid",
        PacketTooLarge = 0x95 "Packet too large",
        QuotaExceeded = 0x97 "Quota exceeded",
        PayloadFormatInvalid = 0x99 "Payload format invalid",
        RetainNotSupported = 0x9A "Retain not supported",
        QoSNotSupported = 0x9B "QoS not supported",
        UseAnotherServer = 0x9C "Use another server",
        ServerMoved = 0x9D "Server moved",
        ConnectionRateExceeded = 0x9F "Connection rate exceeded",
    }
}

reasons! {
    /// What became of a QoS 1 message.
    PubackReason {
        Success = 0x00 "Success",
        NoMatchingSubscribers = 0x10 "No matching subscribers",
        UnspecifiedError = 0x80 "Unspecified error",
        ImplementationSpecificError = 0x83 "Implementation specific error",
        NotAuthorized = 0x87 "Not authorized",
        TopicNameInvalid = 0x90 "Topic Name invalid",
        PacketIdentifierInUse = 0x91 "Packet Identifier in use",
        QuotaExceeded = 0x97 "Quota exceeded",
        PayloadFormatInvalid = 0x99 "Payload format invalid",
    }
}

reasons! {
    /// What became of a QoS 2 message at its first step.
    PubrecReason {
        Success = 0x00 "Success",
        NoMatchingSubscribers = 0x10 "No matching subscribers",
        UnspecifiedError = 0x80 "Unspecified error",
        ImplementationSpecificError = 0x83 "Implementation specific error",
        NotAuthorized = 0x87 "Not authorized",
        TopicNameInvalid = 0x90 "Topic Name invalid",
        PacketIdentifierInUse = 0x91 "Packet Identifier in use",
        QuotaExceeded = 0x97 "Quota exceeded",
        PayloadFormatInvalid = 0x99 "Payload format invalid",
    }
}

reasons! {
    /// The sender's half of releasing a QoS 2 message.
    PubrelReason {
        Success = 0x00 "Success",
        PacketIdentifierNotFound = 0x92 "Packet Identifier not found",
    }
}

reasons! {
    /// The receiver's half of releasing a QoS 2 message.
    PubcompReason {
        Success = 0x00 "Success",
        PacketIdentifierNotFound = 0x92 "Packet Identifier not found",
    }
}

reasons! {
    /// The answer to one Topic Filter of a SUBSCRIBE.
    SubackReason {
        GrantedQoS0 = 0x00 "Granted QoS 0",
        GrantedQoS1 = 0x01 "Granted QoS 1",
        GrantedQoS2 = 0x02 "Granted QoS 2",
        UnspecifiedError = 0x80 "Unspecified error",
        ImplementationSpecificError = 0x83 "Implementation specific error",
        NotAuthorized = 0x87 "Not authorized",
        TopicFilterInvalid = 0x8F "Topic Filter invalid",
        PacketIdentifierInUse = 0x91 "Packet Identifier in use",
        QuotaExceeded = 0x97 "Quota exceeded",
        SharedSubscriptionsNotSupported = 0x9E "Shared Subscriptions not supported",
        SubscriptionIdentifiersNotSupported = 0xA1 "Subscription Identifiers not supported",
        WildcardSubscriptionsNotSupported = 0xA2 "Wildcard Subscriptions not supported",
    }
}

reasons! {
    /// The answer to one Topic Filter of an UNSUBSCRIBE.
    UnsubackReason {
        Success = 0x00 "Success",
        NoSubscriptionExisted = 0x11 "No subscription existed",
        UnspecifiedError = 0x80 "Unspecified error",
        ImplementationSpecificError = 0x83 "Implementation specific error",
        NotAuthorized = 0x87 "Not authorized",
        TopicFilterInvalid = 0x8F "Topic Filter invalid",
        PacketIdentifierInUse = 0x91 "Packet Identifier in use",
    }
}

reasons! {
    /// Why a connection ends.
    DisconnectReason {
        NormalDisconnection = 0x00 "Normal disconnection",
        DisconnectWithWillMessage = 0x04 "Disconnect with Will Message",
        UnspecifiedError = 0x80 "Unspecified error",
        MalformedPacket = 0x81 "Malformed Packet",
        ProtocolError = 0x82 "Protocol Error",
        ImplementationSpecificError = 0x83 "Implementation specific error",
        NotAuthorized = 0x87 "Not authorized",
        ServerBusy = 0x89 "Server busy",
        ServerShuttingDown = 0x8B "Server shutting down",
        BadAuthenticationMethod = 0x8C "Bad authentication method",
        KeepAliveTimeout = 0x8D "Keep Alive timeout",
        SessionTakenOver = 0x8E "Session taken over",
        TopicFilterInvalid = 0x8F "Topic Filter invalid",
        TopicNameInvalid = 0x90 "Topic Name invalid",
        ReceiveMaximumExceeded = 0x93 "Receive Maximum exceeded",
        TopicAliasInvalid = 0x94 "Topic Alias invalid",
        PacketTooLarge = 0x95 "Packet too large",
        MessageRateTooHigh = 0x96 "Message rate too high",
        QuotaExceeded = 0x97 "Quota exceeded",
        AdministrativeAction = 0x98 "Administrative action",
        PayloadFormatInvalid = 0x99 "Payload format invalid",
        RetainNotSupported = 0x9A "Retain not supported",
        QoSNotSupported = 0x9B "QoS not supported",
        UseAnotherServer = 0x9C "Use another server",
        ServerMoved = 0x9D "Server moved",
        SharedSubscriptionsNotSupported = 0x9E "Shared Subscriptions not supported",
        ConnectionRateExceeded = 0x9F "Connection rate exceeded",
        MaximumConnectTime = 0xA0 "Maximum connect time",
        SubscriptionIdentifiersNotSupported = 0xA1 "Subscription Identifiers not supported",
        WildcardSubscriptionsNotSupported = 0xA2 "Wildcard Subscriptions not supported",
    }
}

reasons! {
    /// The step of an extended authentication.
    AuthReason {
        Success = 0x00 "Success",
        ContinueAuthentication = 0x18 "Continue authentication",
        ReAuthenticate = 0x19 "Re-authenticate",
    }
}

impl SubackReason {
    /// The positive answer that grants `qos`.
    #[must_use]
    pub const fn granted(qos: crate::QoS) -> Self {
        match qos {
            crate::QoS::AtMostOnce => Self::GrantedQoS0,
            crate::QoS::AtLeastOnce => Self::GrantedQoS1,
            crate::QoS::ExactlyOnce => Self::GrantedQoS2,
        }
    }

    /// The code that 3.x knows: every failure is 0x80 there.
    #[must_use]
    pub const fn v3_code(self) -> u8 {
        if self.is_error() { 0x80 } else { self.code() }
    }
}

impl DisconnectReason {
    /// Whether a client may give this reason; the others are the server's alone (section 3.14.2.1 of 5.0).
    #[must_use]
    pub const fn allowed_from_client(self) -> bool {
        match self {
            Self::NormalDisconnection
            | Self::DisconnectWithWillMessage
            | Self::UnspecifiedError
            | Self::MalformedPacket
            | Self::ProtocolError
            | Self::ImplementationSpecificError
            | Self::TopicNameInvalid
            | Self::ReceiveMaximumExceeded
            | Self::TopicAliasInvalid
            | Self::PacketTooLarge
            | Self::MessageRateTooHigh
            | Self::QuotaExceeded
            | Self::AdministrativeAction
            | Self::PayloadFormatInvalid => true,
            Self::NotAuthorized
            | Self::ServerBusy
            | Self::ServerShuttingDown
            | Self::BadAuthenticationMethod
            | Self::KeepAliveTimeout
            | Self::SessionTakenOver
            | Self::TopicFilterInvalid
            | Self::RetainNotSupported
            | Self::QoSNotSupported
            | Self::UseAnotherServer
            | Self::ServerMoved
            | Self::SharedSubscriptionsNotSupported
            | Self::ConnectionRateExceeded
            | Self::MaximumConnectTime
            | Self::SubscriptionIdentifiersNotSupported
            | Self::WildcardSubscriptionsNotSupported => false,
        }
    }
}

#[cfg(test)]
mod tests;
