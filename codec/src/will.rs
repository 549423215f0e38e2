//! The will: a message that the server sends when its client is gone without a goodbye.

use bytes::Bytes;

use crate::encode::{Fields, Sink};
use crate::properties::{Properties, PropertySink, id};
use crate::reader::Reader;
use crate::violation::rules;
use crate::{PublishProperties, QoS, TopicName, Version, Violation};

/// A will, as CONNECT carries it.
#[derive(Clone, Debug, PartialEq)]
pub struct Will {
    /// Where it goes.
    pub topic: TopicName,
    /// Any bytes.
    pub payload: Bytes,
    /// Of its publication.
    pub qos: QoS,
    /// Whether it is kept as a retained message.
    pub retain: bool,
    /// How long the server waits for the client to come back, in seconds. 0 in 3.x.
    pub delay_secs: u32,
    /// Those of the message; without alias and subscription ids. `None` without any.
    pub properties: Option<Box<PublishProperties>>,
}

impl Will {
    /// Reads the will out of a CONNECT; QoS and RETAIN stand in the connect flags.
    pub(crate) fn decode(reader: &mut Reader<'_>, qos: QoS, retain: bool) -> Result<Self, Violation> {
        let mut delay_secs = 0;
        let mut properties = None;
        if reader.version() == Version::V5 {
            let mut section = Properties::section(reader)?;
            while let Some(id) = section.next()? {
                match id {
                    id::WILL_DELAY => delay_secs = section.u32()?,
                    _ => {
                        let found: &mut PublishProperties = properties.get_or_insert_with(Box::default);
                        if !found.decode_shared(id, &mut section)? {
                            return Err(section.foreign());
                        }
                    }
                }
            }
        }
        let topic = reader.full_topic_name(&rules::TOPIC_WILDCARD)?;
        let payload = reader.binary()?;
        Ok(Self {
            topic,
            payload,
            qos,
            retain,
            delay_secs,
            properties,
        })
    }

    /// Writes the will into a CONNECT.
    pub(crate) fn write<S: Sink>(&self, version: Version, out: &mut S) {
        if version == Version::V5 {
            out.section(&WillProperties(self));
        }
        out.binary(self.topic.as_bytes());
        out.binary(&self.payload);
    }
}

struct WillProperties<'a>(&'a Will);

impl Fields for WillProperties<'_> {
    fn write<S: Sink>(&self, out: &mut S) {
        let delay_secs = self.0.delay_secs;
        out.u32_property(id::WILL_DELAY, (delay_secs > 0).then_some(delay_secs));
        if let Some(properties) = &self.0.properties {
            out.u32_property(id::MESSAGE_EXPIRY, properties.message_expiry_secs);
            properties.write_forwarded(out);
        }
    }
}
