//! A message: what is shared by all that get it.

use bytes::{BufMut, Bytes};
use mqtt_codec::{PublishProperties, QoS, TopicName};

use super::fields::{Fields, flag, put_block, qos};
use super::{StoreTime, properties};

const RETAIN: u8 = 1 << 2;
const EXPIRES: u8 = 1 << 3;
const PROPERTIES: u8 = 1 << 4;
const UNUSED: u8 = 0b1110_0000;

/// A message as it is written, borrowed from where it stands.
#[derive(Clone, Copy, Debug)]
pub struct MessageRef<'a> {
    /// Where it was published.
    pub topic: &'a str,
    /// What was published.
    pub payload: &'a [u8],
    /// QoS of the publisher's packet.
    pub qos: QoS,
    /// Whether the publisher asked for it to be retained.
    pub retain: bool,
    /// Those that are forwarded are kept; alias, subscription ids and expiry are not.
    pub properties: Option<&'a PublishProperties>,
    /// From this time on it is not delivered any more.
    pub expires_at: Option<StoreTime>,
}

/// A message as it is read. Topic, payload and properties share the bytes of the value that they were read from, and
/// keep it alive: what stays long is detached.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageRecord {
    /// Where it was published.
    pub topic: TopicName,
    /// What was published.
    pub payload: Bytes,
    /// QoS of the publisher's packet.
    pub qos: QoS,
    /// Whether the publisher asked for it to be retained.
    pub retain: bool,
    /// Without alias, subscription ids and expiry. `None` without any.
    pub properties: Option<Box<PublishProperties>>,
    /// From this time on it is not delivered any more.
    pub expires_at: Option<StoreTime>,
}

impl MessageRef<'_> {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let properties = self.properties.filter(|properties| properties::any(properties));
        out.push(
            u8::from(self.qos)
                | flag(RETAIN, self.retain)
                | flag(EXPIRES, self.expires_at.is_some())
                | flag(PROPERTIES, properties.is_some()),
        );
        if let Some(at) = self.expires_at {
            out.put_u64(at.0);
        }
        put_block(out, self.topic.as_bytes());
        if let Some(properties) = properties {
            properties::write(properties, out);
        }
        out.put_slice(self.payload);
    }
}

impl MessageRecord {
    pub(crate) fn read(fields: &mut Fields) -> Result<Self, &'static str> {
        let flags = fields.u8()?;
        if flags & UNUSED != 0 {
            return Err("its flags are not known");
        }
        let expires_at = (flags & EXPIRES != 0).then(|| fields.u64()).transpose()?;
        let topic = fields.topic()?;
        let properties = (flags & PROPERTIES != 0)
            .then(|| properties::read(fields))
            .transpose()?;
        Ok(Self {
            topic,
            payload: fields.rest(),
            qos: qos(flags)?,
            retain: flags & RETAIN != 0,
            properties: properties.map(Box::new),
            expires_at: expires_at.map(StoreTime),
        })
    }

    /// The same, borrowed, for writing it.
    #[must_use]
    pub fn borrowed(&self) -> MessageRef<'_> {
        MessageRef {
            topic: &self.topic,
            payload: &self.payload,
            qos: self.qos,
            retain: self.retain,
            properties: self.properties.as_deref(),
            expires_at: self.expires_at,
        }
    }

    /// A copy with storage of its own, for keeping.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self {
            topic: self.topic.detach(),
            payload: Bytes::copy_from_slice(&self.payload),
            properties: self.properties.as_ref().map(|properties| Box::new(properties.detach())),
            ..*self
        }
    }
}
