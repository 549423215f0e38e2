//! Messages that operators publish.

use std::sync::Arc;
use std::time::Duration;

use actix::{Addr, Handler, Message as ActorMessage};
use broker::durable::Gate;
use broker::exchange::Refusal;
use broker::line::Published;
use broker::message::{Message, Millis};
use bytes::Bytes;
use bytestring::ByteString;
use mqtt_codec::{PublishProperties, QoS, TopicName};
use tokio::time::sleep;

use super::{Operations, Unanswered};
use crate::session::SessionActor;

/// Between two looks whether the store has a message.
const KEPT_POLL: Duration = Duration::from_millis(2);
/// Looks before the answer says that it has not.
const KEPT_LOOKS: usize = 2500;

/// A message to be published.
#[derive(Debug, Clone, Default)]
pub struct Publication {
    /// Where it goes.
    pub topic: String,
    /// What it says.
    pub payload: Vec<u8>,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Whether it is kept as the topic's retained message.
    pub retain: bool,
    /// Seconds after which nobody gets it any more.
    pub expiry_secs: Option<u32>,
    /// What goes with it.
    pub properties: Properties,
}

/// What goes with a message, in 5.0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    /// Whether the payload is said to be UTF-8.
    pub payload_format: Option<bool>,
    /// Where an answer is expected.
    pub response_topic: Option<String>,
    /// Tells the asker which question an answer belongs to.
    pub correlation_data: Option<Vec<u8>>,
    /// What the payload is.
    pub content_type: Option<String>,
    /// Names and values, in their order.
    pub user_properties: Vec<(String, String)>,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Sessions that it went to; of a shared group, one.
    pub receivers: usize,
    /// Those among them whose client is away.
    pub queued: usize,
}

/// From operators to a line: publish this. The answer is what a client would be told.
#[derive(ActorMessage)]
#[rtype(result = "Result<Published, Refusal>")]
struct Publish(Arc<Message>);

impl Handler<Publish> for SessionActor {
    type Result = Result<Published, Refusal>;

    fn handle(&mut self, publish: Publish, _: &mut Self::Context) -> Self::Result {
        let message = publish.0;
        self.desk().act(|line, now| {
            if message.cost() > line.limits().packet_bytes_max as usize {
                return Err(Refusal::PacketTooLarge);
            }
            line.publish_of_operator(&message, now)
        })
    }
}

/// From operators to a line: is what stands behind this gate kept?
#[derive(ActorMessage)]
#[rtype(result = "bool")]
struct IsKept(Gate);

impl Handler<IsKept> for SessionActor {
    type Result = bool;

    fn handle(&mut self, is_kept: IsKept, _: &mut Self::Context) -> bool {
        self.desk().look(|line| line.is_kept(is_kept.0))
    }
}

impl Operations {
    /// Publishes a message and waits until it is kept as durably as its topic's messages are. Neither the rights nor the
    /// rules are asked; the bounds that hold for clients hold.
    ///
    /// # Errors
    ///
    /// The message makes no sense, a receiver has no room, or it did not become durable in time.
    pub async fn publish(&self, publication: Publication) -> Result<Outcome, Unanswered> {
        let message = Arc::new(message(publication, self.house.clock.now())?);
        let line = self.house.lines.first().ok_or(Unanswered::Line)?;
        let answered = line.send(Publish(message)).await.map_err(|_| Unanswered::Line)?;
        let published = answered.map_err(|refusal| Unanswered::Refused(words(refusal).to_owned()))?;
        if let Some(gate) = published.gate {
            await_kept(line, gate).await?;
        }
        Ok(Outcome {
            receivers: published.receivers,
            queued: published.queued,
        })
    }
}

async fn await_kept(line: &Addr<SessionActor>, gate: Gate) -> Result<(), Unanswered> {
    for _ in 0..KEPT_LOOKS {
        if line.send(IsKept(gate)).await.map_err(|_| Unanswered::Line)? {
            return Ok(());
        }
        sleep(KEPT_POLL).await;
    }
    Err(Unanswered::Refused(
        "the store has not confirmed the message in time; it was handed to its receivers and may not survive a restart"
            .to_owned(),
    ))
}

fn message(publication: Publication, now: Millis) -> Result<Message, Unanswered> {
    let Publication {
        topic,
        payload,
        qos,
        retain,
        expiry_secs,
        properties,
    } = publication;
    let topic_name = TopicName::new(topic.clone());
    let topic = topic_name.map_err(|_| {
        Unanswered::Senseless(format!(
            "{topic:?} is no topic: it is empty, too long, or has +, # or U+0000 in it"
        ))
    })?;
    let qos = match qos {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        2 => QoS::ExactlyOnce,
        other => return Err(Unanswered::Senseless(format!("the QoS is {other}; allowed: 0, 1, 2"))),
    };
    Ok(Message {
        topic,
        payload: Bytes::from(payload),
        qos,
        retain,
        properties: properties.into_packet()?,
        expires_at: expiry_secs.map(|secs| now.plus_secs(u64::from(secs))),
        publisher: None,
        id: 0,
        arrived_micros: now.0.saturating_mul(1000),
        trace: None,
    })
}

fn words(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::TopicNameInvalid => {
            "the topic is too long, too deep (packet.topic_bytes_max, packet.topic_levels_max) or one of the broker's own ($SYS)"
        }
        Refusal::QuotaExceeded => {
            "there is no room: a receiver's queue is full, memory is short, or the retained messages or the disk are at \
             their bound; nobody got the message"
        }
        Refusal::PacketTooLarge => "the message is longer than packet.bytes_max; send less",
        Refusal::ServerUnavailable => "the store has failed, and nothing is promised any more; see the log",
        Refusal::NotAuthorized
        | Refusal::BadCredentials
        | Refusal::Banned
        | Refusal::BadAuthenticationMethod
        | Refusal::ClientIdInvalid
        | Refusal::TopicFilterInvalid
        | Refusal::ConnectionRateExceeded
        | Refusal::Unspecified => "the message was refused",
    }
}

impl Properties {
    /// Those of a message.
    pub(super) fn of(properties: &PublishProperties) -> Self {
        let user_properties = properties.user_properties.iter();
        Self {
            payload_format: properties.payload_format,
            response_topic: properties.response_topic.as_ref().map(|topic| topic.to_string()),
            correlation_data: properties.correlation_data.as_ref().map(|data| data.to_vec()),
            content_type: properties.content_type.as_ref().map(|text| text.to_string()),
            user_properties: user_properties
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
        }
    }

    fn into_packet(self) -> Result<Option<Box<PublishProperties>>, Unanswered> {
        if self == Self::default() {
            return Ok(None);
        }
        let response_topic = self.response_topic.map(|topic| {
            TopicName::new(topic.clone())
                .map_err(|_| Unanswered::Senseless(format!("the response topic {topic:?} is no topic")))
        });
        let user_properties = self
            .user_properties
            .into_iter()
            .map(|(name, value)| Ok((text(name)?, text(value)?)));
        Ok(Some(Box::new(PublishProperties {
            payload_format: self.payload_format,
            response_topic: response_topic.transpose()?,
            correlation_data: self.correlation_data.map(binary).transpose()?,
            content_type: self.content_type.map(text).transpose()?,
            user_properties: user_properties.collect::<Result<_, Unanswered>>()?,
            ..PublishProperties::default()
        })))
    }
}

/// What a string of the wire can hold.
const WIRE_BYTES_MAX: usize = 65_535;

fn text(text: String) -> Result<ByteString, Unanswered> {
    if text.len() > WIRE_BYTES_MAX || text.contains('\0') {
        let what = format!("a property is longer than {WIRE_BYTES_MAX} bytes or has U+0000 in it");
        return Err(Unanswered::Senseless(what));
    }
    Ok(ByteString::from(text))
}

fn binary(data: Vec<u8>) -> Result<Bytes, Unanswered> {
    if data.len() > WIRE_BYTES_MAX {
        let what = format!("the correlation data is longer than {WIRE_BYTES_MAX} bytes");
        return Err(Unanswered::Senseless(what));
    }
    Ok(Bytes::from(data))
}
