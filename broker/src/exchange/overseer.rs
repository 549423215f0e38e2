//! The policy's seat: who is asked before an exchange proceeds and told when it has ended.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use mqtt_codec::{ClientId, Connect, Publish, PublishProperties, QoS, SubscribeFilter, TopicFilter, TopicName};
use mqtt_codec::{UserProperties, Version};

use super::phase::Running;
use super::{Ended, Exchange, Kind, Refusal};
use crate::identity::Identity;
use crate::message::{Message, Millis};

/// What an exchange asks for.
#[derive(Clone, Copy, Debug)]
pub enum Ask<'a> {
    /// To be connected.
    Connect(&'a Connect),
    /// To have this published; an alias is resolved already.
    Publish(&'a Publish),
    /// To be subscribed with this filter. A SUBSCRIBE is asked for once for each of its filters.
    Subscribe(&'a SubscribeFilter),
    /// To be unsubscribed. An UNSUBSCRIBE is asked for once for each of its filters.
    Unsubscribe(&'a TopicFilter),
    /// To be sent this message.
    Deliver(Outgoing<'a>),
    /// To have this published because the client was lost.
    Will(&'a Message),
}

impl Ask<'_> {
    /// The kind of exchange that asks so.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Connect(_) => Kind::Connect,
            Self::Publish(_) => Kind::Publish,
            Self::Subscribe(_) => Kind::Subscribe,
            Self::Unsubscribe(_) => Kind::Unsubscribe,
            Self::Deliver(_) => Kind::Deliver,
            Self::Will(_) => Kind::Will,
        }
    }
}

/// A message on its way to one receiver.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The message as it was published.
    pub message: &'a Message,
    /// QoS towards this receiver.
    pub qos: QoS,
    /// RETAIN flag towards this receiver.
    pub retain: bool,
}

/// Who asks, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The client on this conversation's other end.
    pub client_id: &'a ClientId,
    /// Who that is.
    pub identity: &'a Identity,
    /// Where it connected from, if by a network.
    pub address: Option<IpAddr>,
    /// What it spoke last; `None` of a client that has not been there since the broker started.
    pub version: Option<Version>,
    /// When it asks.
    pub now: Millis,
    /// What is asked.
    pub ask: Ask<'a>,
}

impl<'a> Request<'a> {
    /// The user name of the client.
    #[must_use]
    pub fn username(&self) -> Option<&'a str> {
        self.identity.username.as_deref()
    }
}

/// The overseer's answer. The exchange applies it.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Go on.
    Proceed,
    /// Go on with these changes. What an exchange of its kind does not have is not changed.
    Change(Box<Changes>),
    /// Wait this many milliseconds, then ask again. The connection is not read meanwhile, so that order is kept.
    Block(u64),
    /// Refuse aloud.
    Stop(Refusal),
    /// Refuse, and end the client's connection: by DISCONNECT in 5.0, by closing it in 3.x.
    Disconnect(Refusal),
    /// Refuse in silence.
    Cancel,
}

/// What an overseer changes of a message, or of a subscription. What is `None` stays as it came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Where it is published (PUBLISH, will). The rights of the client are asked about this topic as well.
    pub topic: Option<TopicName>,
    /// What is published or delivered.
    pub payload: Option<Bytes>,
    /// Of a message that is published; of a delivery and of a subscription it is the most that is granted.
    pub qos: Option<QoS>,
    /// Whether the message is retained (PUBLISH, will).
    pub retain: Option<bool>,
    /// Each takes the place of those of its name.
    pub user_properties: UserProperties,
}

impl Changes {
    /// The PUBLISH with these changes.
    pub(crate) fn of_publish(&self, publish: &Publish) -> Publish {
        Publish {
            topic: self.topic.clone().unwrap_or_else(|| publish.topic.clone()),
            payload: self.payload.clone().unwrap_or_else(|| publish.payload.clone()),
            qos: self.qos.unwrap_or(publish.qos),
            retain: self.retain.unwrap_or(publish.retain),
            properties: self.properties(publish.properties.as_deref()),
            ..publish.clone()
        }
    }

    /// The message with these changes. It has no body in the store under its number.
    pub(crate) fn of_message(&self, message: &Message) -> Message {
        Message {
            topic: self.topic.clone().unwrap_or_else(|| message.topic.clone()),
            payload: self.payload.clone().unwrap_or_else(|| message.payload.clone()),
            qos: self.qos.unwrap_or(message.qos),
            retain: self.retain.unwrap_or(message.retain),
            properties: self.properties(message.properties.as_deref()),
            expires_at: message.expires_at,
            publisher: message.publisher,
            id: 0,
            arrived_micros: message.arrived_micros,
            trace: message.trace.clone(),
        }
    }

    fn properties(&self, known: Option<&PublishProperties>) -> Option<Box<PublishProperties>> {
        if self.user_properties.is_empty() {
            return known.cloned().map(Box::new);
        }
        let mut properties = known.cloned().unwrap_or_default();
        let is_set = |name: &str| self.user_properties.iter().any(|(set, _)| *set == name);
        properties.user_properties.retain(|(name, _)| !is_set(name));
        properties.user_properties.extend(self.user_properties.iter().cloned());
        Some(Box::new(properties))
    }
}

/// Judges exchanges. It answers and never holds an exchange.
pub trait Overseer {
    /// Asked when an exchange starts and each time it resumes.
    fn on_running(&mut self, exchange: &Exchange<Running>, request: &Request<'_>) -> Verdict;

    /// Told once for each exchange, when it has ended.
    fn on_ended(&mut self, ended: &Ended);

    /// Whether exchanges of this kind are to be judged. It is asked once: one that has nothing to say about deliveries
    /// spares every receiver of every message the question.
    fn judges(&self, kind: Kind) -> bool {
        let _ = kind;
        true
    }

    /// Adds to `into` the messages that the last judgement of a PUBLISH or a will set off. They are published as the
    /// broker's own, after the one that was judged and whatever became of it, and not judged.
    fn take_messages(&mut self, into: &mut Vec<Arc<Message>>) {
        let _ = into;
    }
}

/// The overseer of an open house: everything proceeds.
#[derive(Debug, Default)]
pub struct Open;

impl Overseer for Open {
    fn on_running(&mut self, _: &Exchange<Running>, _: &Request<'_>) -> Verdict {
        Verdict::Proceed
    }

    fn on_ended(&mut self, _: &Ended) {}

    fn judges(&self, _: Kind) -> bool {
        false
    }
}
