//! PUBLISH.

pub(crate) mod template;

use std::num::NonZeroU16;

use bytes::Bytes;
use bytestring::ByteString;

use crate::encode::{Body, Fields, Sink, encode_verbs};
use crate::properties::{
    Properties, PropertySink, UserProperties, detach_bytes, detach_text, detach_user_properties, id,
};
use crate::reader::Reader;
use crate::violation::rules;
use crate::{PacketId, PacketKind, QoS, SubscriptionId, TopicName, Version, Violation};

const RETAIN: u8 = 0b0001;
const DUP: u8 = 0b1000;

/// A message under way.
#[derive(Clone, Debug, PartialEq)]
pub struct Publish {
    /// This hop has tried before.
    pub dup: bool,
    /// Of this hop.
    pub qos: QoS,
    /// From a publisher: keep it. To a subscriber: it was kept.
    pub retain: bool,
    /// Empty when a Topic Alias stands in for it (5.0).
    pub topic: TopicName,
    /// Present exactly when the QoS is above 0.
    pub packet_id: Option<PacketId>,
    /// `None` without any, which is usual and cheap. Not on the wire in 3.x.
    pub properties: Option<Box<PublishProperties>>,
    /// Any bytes.
    pub payload: Bytes,
}

/// What a message of 5.0, or the message of a will, may carry besides topic and payload.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PublishProperties {
    /// Whether the payload is said to be UTF-8.
    pub payload_format: Option<bool>,
    /// How long the message is worth delivering, in seconds.
    pub message_expiry_secs: Option<u32>,
    /// Stands for the topic on this connection; never in a will.
    pub topic_alias: Option<NonZeroU16>,
    /// Where an answer is expected.
    pub response_topic: Option<TopicName>,
    /// Tells the asker which question an answer belongs to.
    pub correlation_data: Option<Bytes>,
    /// Passed on in their order.
    pub user_properties: UserProperties,
    /// Of the subscriptions that matched; only from a server, never in a will.
    pub subscription_ids: Vec<SubscriptionId>,
    /// What the payload is, by an agreement of the applications.
    pub content_type: Option<ByteString>,
}

impl PublishProperties {
    /// A copy with storage of its own, for keeping.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self {
            payload_format: self.payload_format,
            message_expiry_secs: self.message_expiry_secs,
            topic_alias: self.topic_alias,
            response_topic: self.response_topic.as_ref().map(TopicName::detach),
            correlation_data: self.correlation_data.as_ref().map(detach_bytes),
            user_properties: detach_user_properties(&self.user_properties),
            subscription_ids: self.subscription_ids.clone(),
            content_type: self.content_type.as_ref().map(detach_text),
        }
    }

    /// Reads one property that a PUBLISH and a will share; `false` when `id` is none of them.
    pub(crate) fn decode_shared(&mut self, id: u8, section: &mut Properties<'_>) -> Result<bool, Violation> {
        match id {
            id::PAYLOAD_FORMAT => self.payload_format = Some(section.boolean()?),
            id::MESSAGE_EXPIRY => self.message_expiry_secs = Some(section.u32()?),
            id::CONTENT_TYPE => self.content_type = Some(section.text()?),
            id::RESPONSE_TOPIC => {
                self.response_topic = Some(section.full_topic_name(&rules::RESPONSE_TOPIC_WILDCARD)?);
            }
            id::CORRELATION_DATA => self.correlation_data = Some(section.binary()?),
            id::USER_PROPERTY => self.user_properties.push(section.user_property()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Writes those that a server forwards unaltered.
    pub(crate) fn write_forwarded<S: Sink>(&self, out: &mut S) {
        out.boolean_property(id::PAYLOAD_FORMAT, self.payload_format);
        out.text_property(id::CONTENT_TYPE, self.content_type.as_deref());
        out.text_property(id::RESPONSE_TOPIC, self.response_topic.as_deref());
        out.binary_property(id::CORRELATION_DATA, self.correlation_data.as_ref());
        out.user_properties(&self.user_properties);
    }

    fn decode(mut section: Properties<'_>) -> Result<Box<Self>, Violation> {
        let mut found = Box::<Self>::default();
        while let Some(id) = section.next()? {
            match id {
                id::TOPIC_ALIAS => {
                    let alias = section.u16()?;
                    let alias = NonZeroU16::new(alias).ok_or_else(|| section.broken(&rules::TOPIC_ALIAS_ZERO))?;
                    found.topic_alias = Some(alias);
                }
                id::SUBSCRIPTION_ID => found.subscription_ids.push(section.subscription_id()?),
                _ if found.decode_shared(id, &mut section)? => {}
                _ => return Err(section.foreign()),
            }
        }
        Ok(found)
    }
}

impl Fields for PublishProperties {
    fn write<S: Sink>(&self, out: &mut S) {
        out.u32_property(id::MESSAGE_EXPIRY, self.message_expiry_secs);
        out.u16_property(id::TOPIC_ALIAS, self.topic_alias.map(NonZeroU16::get));
        for &subscription_id in &self.subscription_ids {
            out.subscription_id_property(subscription_id);
        }
        self.write_forwarded(out);
    }
}

impl Publish {
    /// The alias that came with it.
    #[must_use]
    pub fn topic_alias(&self) -> Option<NonZeroU16> {
        self.properties.as_ref().and_then(|properties| properties.topic_alias)
    }

    #[inline]
    pub(crate) fn decode(flags: u8, reader: &mut Reader<'_>) -> Result<Self, Violation> {
        let (dup, retain) = (flags & DUP != 0, flags & RETAIN != 0);
        let Ok(qos) = QoS::try_from(flags >> 1 & 0b11) else {
            return Err(reader.broken(&rules::QOS_3));
        };
        if dup && qos == QoS::AtMostOnce {
            return Err(reader.broken(&rules::DUP_QOS_0));
        }
        let topic = reader.topic_name(&rules::PUBLISH_WILDCARD)?;
        let packet_id = match qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce | QoS::ExactlyOnce => Some(reader.packet_id(&rules::PACKET_ID_ZERO)?),
        };
        let properties = match reader.version() {
            Version::V31 | Version::V311 => None,
            Version::V5 => match Properties::section(reader)? {
                section if section.is_empty() => None,
                section => Some(PublishProperties::decode(section)?),
            },
        };
        if topic.is_empty()
            && properties
                .as_ref()
                .is_none_or(|properties| properties.topic_alias.is_none())
        {
            return Err(reader.broken(&rules::TOPIC_MISSING));
        }
        Ok(Self {
            dup,
            qos,
            retain,
            topic,
            packet_id,
            properties,
            payload: reader.take_rest(),
        })
    }
}

/// The flags of the fixed header.
pub(crate) fn flags(dup: bool, qos: QoS, retain: bool) -> u8 {
    let mut flags = u8::from(qos) << 1;
    if dup {
        flags |= DUP;
    }
    if retain {
        flags |= RETAIN;
    }
    flags
}

impl Body for Publish {
    const KIND: PacketKind = PacketKind::Publish;

    fn flags(&self) -> u8 {
        flags(self.dup, self.qos, self.retain)
    }

    #[inline]
    fn write<S: Sink>(&self, version: Version, out: &mut S) {
        out.binary(self.topic.as_bytes());
        if self.qos > QoS::AtMostOnce {
            // A missing identifier is the caller's mistake; 0 makes the receiver say so.
            out.u16(self.packet_id.map_or(0, PacketId::get));
        }
        if version == Version::V5 {
            match &self.properties {
                Some(properties) => out.section(&**properties),
                None => out.u8(0),
            }
        }
        out.slice(&self.payload);
    }
}

encode_verbs!(Publish);

#[cfg(test)]
mod tests;
