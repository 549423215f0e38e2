//! The small words of a plan: scenario, protocol version, quality of service.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// What happens in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scenario {
    /// Pairs: each publisher has topics and one subscriber of its own.
    P2p,
    /// Many publishers, few subscribers: each subscriber hears an equal share of the publishers on one topic.
    Fanin,
    /// Few publishers, many subscribers of the one topic.
    Fanout,
    /// Many topic filters, of which each message matches four.
    Wildcards,
    /// Clients that connect and disconnect again and again.
    Connect,
    /// Connections that wait; then each gets one message.
    Idle,
    /// A steady rate, so that latency is the figure.
    Latency,
    /// Sessions that are away while messages for them arrive.
    Offline,
    /// Pairs whose subscribers have sessions that stay: how many messages are acknowledged, and how soon.
    Durable,
    /// Many retained messages, and subscribers that ask for all of them.
    Retained,
    /// A steady rate to subscribers of one topic, one of which stops reading.
    Stalled,
}

impl Scenario {
    /// All scenarios, in the order in which people read them.
    pub const ALL: [Self; 11] = [
        Self::P2p,
        Self::Fanin,
        Self::Fanout,
        Self::Wildcards,
        Self::Connect,
        Self::Idle,
        Self::Latency,
        Self::Offline,
        Self::Durable,
        Self::Retained,
        Self::Stalled,
    ];

    /// The name on command lines and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::P2p => "p2p",
            Self::Fanin => "fanin",
            Self::Fanout => "fanout",
            Self::Wildcards => "wildcards",
            Self::Connect => "connect",
            Self::Idle => "idle",
            Self::Latency => "latency",
            Self::Offline => "offline",
            Self::Durable => "durable",
            Self::Retained => "retained",
            Self::Stalled => "stalled",
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A protocol version of MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 3.1.1.
    V311,
    /// 5.0.
    V5,
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::V311 => "3.1.1",
            Self::V5 => "5.0",
        })
    }
}

impl FromStr for Version {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        match text {
            "311" | "3.1.1" => Ok(Self::V311),
            "5" | "5.0" => Ok(Self::V5),
            _ => Err(Unreadable::new("MQTT version", text, "3.1.1 or 5.0")),
        }
    }
}

/// How often at most, and at least, a message arrives. The number is that of the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Qos {
    /// At most once.
    AtMostOnce = 0,
    /// At least once.
    AtLeastOnce = 1,
    /// Exactly once.
    ExactlyOnce = 2,
}

impl From<Qos> for u8 {
    fn from(qos: Qos) -> Self {
        qos as Self
    }
}

impl fmt::Display for Qos {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        u8::from(*self).fmt(formatter)
    }
}

impl FromStr for Qos {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        match text {
            "0" => Ok(Self::AtMostOnce),
            "1" => Ok(Self::AtLeastOnce),
            "2" => Ok(Self::ExactlyOnce),
            _ => Err(Unreadable::new("QoS", text, "0, 1 or 2")),
        }
    }
}

impl Serialize for Qos {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(u8::from(*self))
    }
}

/// A word that means nothing here; the message is one line that names it and what would do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

impl Unreadable {
    pub(crate) fn new(what: &str, text: &str, would_do: &str) -> Self {
        Self(format!("\"{text}\" is no {what}: write {would_do}"))
    }

    pub(crate) fn because(what: &str, text: &str, problem: impl fmt::Display) -> Self {
        Self(format!("\"{text}\" is no {what}: {problem}"))
    }
}
