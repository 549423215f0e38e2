//! The names that rules may use, and what they stand for.

use std::borrow::Cow;

use broker::exchange::Kind;

use super::kind::Type;
use super::value::Value;
use crate::event::{Event, word_of_kind};

/// A name of the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variable {
    Packet,
    ClientId,
    Version,
    User,
    Groups,
    Topic,
    Levels,
    Qos,
    Retain,
    Payload,
    PayloadFormat,
    MessageExpiry,
    ContentType,
    ResponseTopic,
    CorrelationData,
    UserProperties,
    Listener,
    Address,
    Now,
}

/// Which kinds of exchanges know a name.
#[derive(Clone, Copy)]
enum Known {
    Always,
    WithTopic,
    WithQos,
    WithMessage,
    /// Of a message that comes in; later only the broker knows how long it is worth delivering.
    OnPublish,
}

const NAMES: [(&str, Variable, Known); 19] = [
    ("packet", Variable::Packet, Known::Always),
    ("client.id", Variable::ClientId, Known::Always),
    ("client.version", Variable::Version, Known::Always),
    ("user", Variable::User, Known::Always),
    ("groups", Variable::Groups, Known::Always),
    ("topic", Variable::Topic, Known::WithTopic),
    ("levels", Variable::Levels, Known::WithTopic),
    ("qos", Variable::Qos, Known::WithQos),
    ("retain", Variable::Retain, Known::WithMessage),
    ("payload", Variable::Payload, Known::WithMessage),
    ("properties.payload_format", Variable::PayloadFormat, Known::WithMessage),
    (
        "properties.message_expiry_secs",
        Variable::MessageExpiry,
        Known::OnPublish,
    ),
    ("properties.content_type", Variable::ContentType, Known::WithMessage),
    ("properties.response_topic", Variable::ResponseTopic, Known::WithMessage),
    (
        "properties.correlation_data",
        Variable::CorrelationData,
        Known::WithMessage,
    ),
    ("properties.user", Variable::UserProperties, Known::WithMessage),
    ("listener", Variable::Listener, Known::Always),
    ("address", Variable::Address, Known::Always),
    ("now", Variable::Now, Known::Always),
];

/// Whether exchanges of this kind are about a message.
pub(crate) const fn has_message(kind: Kind) -> bool {
    matches!(kind, Kind::Publish | Kind::Deliver | Kind::Will)
}

impl Variable {
    /// The variable of a full name, such as `client.id`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        NAMES
            .iter()
            .find(|(known, ..)| *known == name)
            .map(|(_, variable, _)| *variable)
    }

    /// All full names.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> + Clone {
        NAMES.iter().map(|(name, ..)| *name)
    }

    /// Whether exchanges of `kind` know it.
    pub(crate) fn is_known_on(self, kind: Kind) -> bool {
        let known = NAMES.iter().find(|(_, variable, _)| *variable == self);
        match known.map(|(.., known)| known) {
            None | Some(Known::Always) => true,
            Some(Known::WithTopic) => kind != Kind::Connect,
            Some(Known::WithQos) => has_message(kind) || kind == Kind::Subscribe,
            Some(Known::WithMessage) => has_message(kind),
            Some(Known::OnPublish) => kind == Kind::Publish,
        }
    }

    /// The type of its values.
    pub(crate) fn kind(self) -> Type {
        match self {
            Self::Packet
            | Self::ClientId
            | Self::User
            | Self::Topic
            | Self::ContentType
            | Self::ResponseTopic
            | Self::Listener
            | Self::Address => Type::Text,
            Self::Version | Self::Qos | Self::MessageExpiry | Self::Now => Type::Int,
            Self::Groups | Self::Levels => Type::list_of(Type::Text),
            Self::Retain | Self::PayloadFormat => Type::Bool,
            Self::Payload | Self::CorrelationData => Type::Bytes,
            Self::UserProperties => Type::Map,
        }
    }

    /// Its value, if it is a whole number that comes with every event.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others have to be worked out")]
    pub(crate) fn plain_number(self, event: &Event<'_>) -> Option<i64> {
        match self {
            Self::Version => Some(event.version.into()),
            Self::Qos => Some(u8::from(event.qos).into()),
            Self::Now => i64::try_from(event.now_ms / 1000).ok(),
            _ => None,
        }
    }

    /// Its value, if it is a text that comes with every event.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others have to be worked out")]
    pub(crate) const fn plain_text<'a>(self, event: &Event<'a>) -> Option<&'a str> {
        match self {
            Self::ClientId => Some(event.client_id),
            Self::User => Some(event.user),
            Self::Topic => Some(event.topic),
            Self::Listener => Some(event.listener),
            _ => None,
        }
    }

    /// Its value. A property that is absent is empty, 0 or false; [`Variable::is_present`] tells the difference.
    pub(crate) fn value<'a>(self, event: &Event<'a>) -> Value<'a> {
        let text = |text: &'a str| Value::Text(Cow::Borrowed(text));
        let properties = event.properties;
        match self {
            Self::Packet => text(word_of_kind(event.kind)),
            Self::ClientId => text(event.client_id),
            Self::Version => Value::Int(event.version.into()),
            Self::User => text(event.user),
            Self::Groups => Value::Groups(event.groups),
            Self::Topic => text(event.topic),
            Self::Levels => Value::Levels(event.topic),
            Self::Qos => Value::Int(u8::from(event.qos).into()),
            Self::Retain => Value::Bool(event.retain),
            Self::Payload => Value::Bytes(Cow::Borrowed(event.payload)),
            Self::PayloadFormat => Value::Bool(properties.and_then(|some| some.payload_format).unwrap_or_default()),
            Self::MessageExpiry => Value::Int(
                properties
                    .and_then(|some| some.message_expiry_secs)
                    .unwrap_or_default()
                    .into(),
            ),
            Self::ContentType => text(
                properties
                    .and_then(|some| some.content_type.as_deref())
                    .unwrap_or_default(),
            ),
            Self::ResponseTopic => {
                let topic = properties.and_then(|some| some.response_topic.as_ref());
                text(topic.map(|topic| topic.as_str()).unwrap_or_default())
            }
            Self::CorrelationData => {
                let data = properties.and_then(|some| some.correlation_data.as_deref());
                Value::Bytes(Cow::Borrowed(data.unwrap_or_default()))
            }
            Self::UserProperties => Value::Pairs(properties.map_or(&[], |some| some.user_properties.as_slice())),
            Self::Listener => text(event.listener),
            Self::Address => Value::Text(Cow::Owned(
                event.address.map(|address| address.to_string()).unwrap_or_default(),
            )),
            Self::Now => Value::Int(i64::try_from(event.now_ms / 1000).unwrap_or(i64::MAX)),
        }
    }

    /// Whether a property came with the message.
    pub(crate) fn is_present(self, event: &Event<'_>) -> bool {
        let properties = event.properties;
        match self {
            Self::PayloadFormat => properties.is_some_and(|some| some.payload_format.is_some()),
            Self::MessageExpiry => properties.is_some_and(|some| some.message_expiry_secs.is_some()),
            Self::ContentType => properties.is_some_and(|some| some.content_type.is_some()),
            Self::ResponseTopic => properties.is_some_and(|some| some.response_topic.is_some()),
            Self::CorrelationData => properties.is_some_and(|some| some.correlation_data.is_some()),
            Self::UserProperties => properties.is_some_and(|some| !some.user_properties.is_empty()),
            Self::Packet
            | Self::ClientId
            | Self::Version
            | Self::User
            | Self::Groups
            | Self::Topic
            | Self::Levels
            | Self::Qos
            | Self::Retain
            | Self::Payload
            | Self::Listener
            | Self::Address
            | Self::Now => true,
        }
    }
}
