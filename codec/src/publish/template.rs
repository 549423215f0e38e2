//! One message for many receivers: encoded once, patched for each.

use std::num::NonZeroU16;

use bytes::{BufMut, Bytes, BytesMut};

use super::{DUP, PublishProperties, flags};
use crate::encode::{Count, EncodeError, Fields, REMAINING_LENGTH_MAX, Sink, TEXT_BYTES_MAX};
use crate::properties::{PropertySink, id};
use crate::{PacketId, PacketKind, QoS, SubscriptionId, Version, varint};

/// Payloads up to this many bytes stand behind the head in the template, so that a plain write is one copy. Beyond it
/// the second copy does not show, and keeping the payload where it is saves one.
const JOINED_PAYLOAD_BYTES_MAX: usize = 4096;

/// The wire form of one message for one version, QoS and RETAIN, built once and patched for each receiver.
#[derive(Clone, Debug)]
pub struct Template {
    version: Version,
    qos: QoS,
    /// The packet as a receiver without wishes gets it, up to the payload or with it.
    wire: Vec<u8>,
    at: Offsets,
    /// Size in bytes of the whole packet.
    len: usize,
    /// A payload that is not in the wire form. A joined one is let go of, so that the read buffer it came in is free.
    apart: Bytes,
}

/// Where the parts stand in the wire form.
#[derive(Clone, Copy, Debug, Default)]
struct Offsets {
    topic: usize,
    packet_id: usize,
    /// Behind the length of the properties; equal to `payload` without any.
    properties: usize,
    /// The four bytes of the expiry.
    expiry: Option<usize>,
    payload: usize,
}

/// What differs from receiver to receiver.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patch<'a> {
    /// Needed for a QoS above 0, and nowhere else.
    pub packet_id: Option<PacketId>,
    /// Whether this receiver was sent the message before.
    pub dup: bool,
    /// Of this receiver's subscriptions that matched.
    pub subscription_ids: &'a [SubscriptionId],
    /// An alias on this receiver's connection.
    pub alias: Option<Alias>,
    /// What is left of the expiry, in seconds; replaces the one in the properties.
    pub message_expiry_secs: Option<u32>,
}

/// A Topic Alias towards one receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alias {
    /// At most what the receiver allows.
    pub number: NonZeroU16,
    /// Whether the receiver has been told the topic for it: the topic is left empty then.
    pub known: bool,
}

/// The sizes that a patch leads to.
struct Sizes {
    topic: usize,
    properties: usize,
    remaining: usize,
}

impl Template {
    /// Encodes a message. Of `properties`, alias and subscription ids are ignored: they belong to one connection.
    ///
    /// # Errors
    ///
    /// When a string or the packet cannot be represented.
    pub fn new(
        version: Version,
        qos: QoS,
        retain: bool,
        topic: &str,
        properties: Option<&PublishProperties>,
        payload: &Bytes,
    ) -> Result<Self, EncodeError> {
        let mut template = Self {
            version,
            qos,
            wire: Vec::new(),
            at: Offsets::default(),
            len: 0,
            apart: Bytes::new(),
        };
        template.fill(retain, topic, properties, payload)?;
        Ok(template)
    }

    /// As [`Template::new`], reusing the buffer of an earlier message.
    ///
    /// # Errors
    ///
    /// As [`Template::new`]; the template holds nothing useful then.
    #[expect(clippy::too_many_arguments, reason = "the arguments of `new`, and the template")]
    pub fn rebuild(
        &mut self,
        version: Version,
        qos: QoS,
        retain: bool,
        topic: &str,
        properties: Option<&PublishProperties>,
        payload: &Bytes,
    ) -> Result<(), EncodeError> {
        self.version = version;
        self.qos = qos;
        self.fill(retain, topic, properties, payload)
    }

    /// The payload, for sending it without a copy behind [`Template::write_head`].
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        match self.wire.get(self.at.payload..) {
            Some(joined) if !joined.is_empty() => joined,
            Some(_) | None => &self.apart,
        }
    }

    /// Size in bytes of the packet that [`Template::write`] would append.
    #[inline]
    #[must_use]
    pub fn len(&self, patch: &Patch<'_>) -> usize {
        if self.is_plain(patch) {
            self.len
        } else {
            let remaining = self.sizes(patch).remaining;
            1 + varint::len(remaining) + remaining
        }
    }

    /// Appends the packet for one receiver.
    #[inline]
    pub fn write(&self, patch: &Patch<'_>, out: &mut BytesMut) {
        if self.is_plain(patch) {
            self.write_plain(&self.wire, patch, out);
        } else {
            self.write_head_patched(patch, out);
            out.extend_from_slice(self.wire.get(self.at.payload..).unwrap_or_default());
        }
        if !self.apart.is_empty() {
            out.extend_from_slice(&self.apart);
        }
    }

    /// As [`Template::write`], without the payload, which the caller sends behind it.
    #[inline]
    pub fn write_head(&self, patch: &Patch<'_>, out: &mut BytesMut) {
        if self.is_plain(patch) {
            self.write_plain(self.wire.get(..self.at.payload).unwrap_or_default(), patch, out);
        } else {
            self.write_head_patched(patch, out);
        }
    }

    /// Whether the packet has the template's own size, so that numbers are patched in place.
    #[inline]
    fn is_plain(&self, patch: &Patch<'_>) -> bool {
        self.version != Version::V5
            || (patch.subscription_ids.is_empty()
                && patch.alias.is_none()
                && (patch.message_expiry_secs.is_none() || self.at.expiry.is_some()))
    }

    #[inline]
    fn write_plain(&self, wire: &[u8], patch: &Patch<'_>, out: &mut BytesMut) {
        let start = out.len();
        out.extend_from_slice(wire);
        let Some(packet) = out.get_mut(start..) else { return };
        if patch.dup
            && let Some(first) = packet.first_mut()
        {
            *first |= DUP;
        }
        if self.qos > QoS::AtMostOnce {
            overwrite(
                packet,
                self.at.packet_id,
                patch.packet_id.map_or(0, PacketId::get).to_be_bytes(),
            );
        }
        if let (Some(at), Some(secs)) = (self.at.expiry, patch.message_expiry_secs) {
            overwrite(packet, at, secs.to_be_bytes());
        }
    }

    /// Writes a head whose lengths differ from the template's.
    #[cold]
    fn write_head_patched(&self, patch: &Patch<'_>, out: &mut BytesMut) {
        let sizes = self.sizes(patch);
        out.reserve(5 + sizes.remaining);
        let first = self.wire.first().copied().unwrap_or_default();
        out.put_u8(if patch.dup { first | DUP } else { first });
        out.varint(sizes.remaining);
        let topic_end = self.at.topic + sizes.topic;
        out.binary(self.wire.get(self.at.topic..topic_end).unwrap_or_default());
        if self.qos > QoS::AtMostOnce {
            out.put_u16(patch.packet_id.map_or(0, PacketId::get));
        }
        out.varint(sizes.properties);
        let start = out.len();
        out.extend_from_slice(self.wire.get(self.at.properties..self.at.payload).unwrap_or_default());
        match (self.at.expiry, patch.message_expiry_secs) {
            (Some(at), Some(secs)) => {
                let properties = out.get_mut(start..).unwrap_or_default();
                overwrite(properties, at - self.at.properties, secs.to_be_bytes());
            }
            (None, secs) => out.u32_property(id::MESSAGE_EXPIRY, secs),
            (Some(_), None) => {}
        }
        ForOneReceiver(patch).write(out);
    }

    fn sizes(&self, patch: &Patch<'_>) -> Sizes {
        let topic = if patch.alias.is_some_and(|alias| alias.known) {
            0
        } else {
            self.topic_len()
        };
        let mut properties = self.at.payload - self.at.properties + Count::of(&ForOneReceiver(patch));
        if self.at.expiry.is_none() && patch.message_expiry_secs.is_some() {
            properties += 5;
        }
        let packet_id = if self.qos > QoS::AtMostOnce { 2 } else { 0 };
        let remaining = 2 + topic + packet_id + varint::len(properties) + properties + self.payload_len();
        Sizes {
            topic,
            properties,
            remaining,
        }
    }

    fn topic_len(&self) -> usize {
        self.at.packet_id - self.at.topic
    }

    fn payload_len(&self) -> usize {
        self.len - self.at.payload
    }

    fn fill(
        &mut self,
        retain: bool,
        topic: &str,
        properties: Option<&PublishProperties>,
        payload: &Bytes,
    ) -> Result<(), EncodeError> {
        let properties = properties.map(Forwarded);
        let (properties_len, prefix_len) = match (self.version, &properties) {
            (Version::V31 | Version::V311, _) => (0, 0),
            (Version::V5, None) => (0, 1),
            (Version::V5, Some(properties)) => {
                let len = Count::checked(properties)?;
                (len, varint::len(len))
            }
        };
        if topic.len() > TEXT_BYTES_MAX {
            return Err(EncodeError::TextTooLong);
        }
        let packet_id_len = if self.qos > QoS::AtMostOnce { 2 } else { 0 };
        let remaining = 2 + topic.len() + packet_id_len + prefix_len + properties_len + payload.len();
        if remaining > REMAINING_LENGTH_MAX as usize {
            return Err(EncodeError::PacketTooLarge);
        }
        self.at.topic = 1 + varint::len(remaining) + 2;
        self.at.packet_id = self.at.topic + topic.len();
        self.at.properties = self.at.packet_id + packet_id_len + prefix_len;
        self.at.payload = self.at.properties + properties_len;
        self.at.expiry = None;
        self.len = self.at.payload + payload.len();
        self.wire.clear();
        self.wire
            .reserve(self.at.payload + payload.len().min(JOINED_PAYLOAD_BYTES_MAX));
        self.wire
            .u8(PacketKind::Publish.first_byte(flags(false, self.qos, retain)));
        self.wire.varint(remaining);
        self.wire.binary(topic.as_bytes());
        if packet_id_len > 0 {
            self.wire.u16(0);
        }
        if prefix_len > 0 {
            self.wire.varint(properties_len);
        }
        if let (Version::V5, Some(properties)) = (self.version, properties) {
            properties.write(&mut self.wire);
            // The expiry stands first, behind its identifier.
            self.at.expiry = properties.0.message_expiry_secs.map(|_| self.at.properties + 1);
        }
        if payload.len() <= JOINED_PAYLOAD_BYTES_MAX {
            self.wire.extend_from_slice(payload);
            self.apart = Bytes::new();
        } else {
            self.apart = payload.clone();
        }
        Ok(())
    }
}

#[inline]
fn overwrite<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    if let Some(target) = bytes.get_mut(at..at + N) {
        target.copy_from_slice(&value);
    }
}

/// The properties that every receiver gets, the expiry in front.
struct Forwarded<'a>(&'a PublishProperties);

impl Fields for Forwarded<'_> {
    fn write<S: Sink>(&self, out: &mut S) {
        out.u32_property(id::MESSAGE_EXPIRY, self.0.message_expiry_secs);
        self.0.write_forwarded(out);
    }
}

/// The properties that one receiver gets.
struct ForOneReceiver<'a>(&'a Patch<'a>);

impl Fields for ForOneReceiver<'_> {
    fn write<S: Sink>(&self, out: &mut S) {
        out.u16_property(id::TOPIC_ALIAS, self.0.alias.map(|alias| alias.number.get()));
        for &subscription_id in self.0.subscription_ids {
            out.subscription_id_property(subscription_id);
        }
    }
}

#[cfg(test)]
mod tests;
