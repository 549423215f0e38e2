//! Properties of 5.0: their identifiers, and reading and writing a section of them.

use std::num::{NonZeroU16, NonZeroU32};
use std::ops::{Deref, DerefMut};

use bytes::Bytes;
use bytestring::ByteString;

use crate::encode::Sink;
use crate::reader::Reader;
use crate::violation::rules;
use crate::{PacketKind, SubscriptionId, Violation};

/// Names and values that users attach to a packet, in their order; a name may come more than once.
pub type UserProperties = Vec<(ByteString, ByteString)>;

/// The identifiers as the wire carries them.
pub(crate) mod id {
    pub(crate) const PAYLOAD_FORMAT: u8 = 0x01;
    pub(crate) const MESSAGE_EXPIRY: u8 = 0x02;
    pub(crate) const CONTENT_TYPE: u8 = 0x03;
    pub(crate) const RESPONSE_TOPIC: u8 = 0x08;
    pub(crate) const CORRELATION_DATA: u8 = 0x09;
    pub(crate) const SUBSCRIPTION_ID: u8 = 0x0B;
    pub(crate) const SESSION_EXPIRY: u8 = 0x11;
    pub(crate) const ASSIGNED_CLIENT_ID: u8 = 0x12;
    pub(crate) const SERVER_KEEP_ALIVE: u8 = 0x13;
    pub(crate) const AUTHENTICATION_METHOD: u8 = 0x15;
    pub(crate) const AUTHENTICATION_DATA: u8 = 0x16;
    pub(crate) const REQUEST_PROBLEM_INFORMATION: u8 = 0x17;
    pub(crate) const WILL_DELAY: u8 = 0x18;
    pub(crate) const REQUEST_RESPONSE_INFORMATION: u8 = 0x19;
    pub(crate) const RESPONSE_INFORMATION: u8 = 0x1A;
    pub(crate) const SERVER_REFERENCE: u8 = 0x1C;
    pub(crate) const REASON_STRING: u8 = 0x1F;
    pub(crate) const RECEIVE_MAXIMUM: u8 = 0x21;
    pub(crate) const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
    pub(crate) const TOPIC_ALIAS: u8 = 0x23;
    pub(crate) const MAXIMUM_QOS: u8 = 0x24;
    pub(crate) const RETAIN_AVAILABLE: u8 = 0x25;
    pub(crate) const USER_PROPERTY: u8 = 0x26;
    pub(crate) const MAXIMUM_PACKET_SIZE: u8 = 0x27;
    pub(crate) const WILDCARD_SUBSCRIPTION_AVAILABLE: u8 = 0x28;
    pub(crate) const SUBSCRIPTION_IDS_AVAILABLE: u8 = 0x29;
    pub(crate) const SHARED_SUBSCRIPTION_AVAILABLE: u8 = 0x2A;

    /// Each as one bit.
    pub(crate) const ALL: u64 = bits(&[
        PAYLOAD_FORMAT,
        MESSAGE_EXPIRY,
        CONTENT_TYPE,
        RESPONSE_TOPIC,
        CORRELATION_DATA,
        SUBSCRIPTION_ID,
        SESSION_EXPIRY,
        ASSIGNED_CLIENT_ID,
        SERVER_KEEP_ALIVE,
        AUTHENTICATION_METHOD,
        AUTHENTICATION_DATA,
        REQUEST_PROBLEM_INFORMATION,
        WILL_DELAY,
        REQUEST_RESPONSE_INFORMATION,
        RESPONSE_INFORMATION,
        SERVER_REFERENCE,
        REASON_STRING,
        RECEIVE_MAXIMUM,
        TOPIC_ALIAS_MAXIMUM,
        TOPIC_ALIAS,
        MAXIMUM_QOS,
        RETAIN_AVAILABLE,
        USER_PROPERTY,
        MAXIMUM_PACKET_SIZE,
        WILDCARD_SUBSCRIPTION_AVAILABLE,
        SUBSCRIPTION_IDS_AVAILABLE,
        SHARED_SUBSCRIPTION_AVAILABLE,
    ]);

    const fn bits(mut ids: &[u8]) -> u64 {
        let mut all = 0;
        while let [id, rest @ ..] = ids {
            all |= 1 << *id;
            ids = rest;
        }
        all
    }
}

/// Reads one section of properties: identifiers through `next`, values through the reader within.
pub(crate) struct Properties<'a> {
    section: Reader<'a>,
    /// The identifiers met so far, each as one bit.
    seen: u64,
}

impl<'a> Properties<'a> {
    /// Takes the section, with the length in front of it, off `packet`.
    #[inline]
    pub(crate) fn section(packet: &mut Reader<'a>) -> Result<Self, Violation> {
        let len = packet.varint()?;
        Ok(Self {
            section: packet.section(len as usize)?,
            seen: 0,
        })
    }

    /// The next identifier, known and not met before; `None` at the end of the section.
    pub(crate) fn next(&mut self) -> Result<Option<u8>, Violation> {
        if self.section.is_empty() {
            return Ok(None);
        }
        let id = self.section.u8()?;
        let bit = 1_u64.checked_shl(u32::from(id)).unwrap_or(0);
        if bit & id::ALL == 0 {
            return Err(self.broken(&rules::PROPERTY_UNKNOWN));
        }
        if self.seen & bit != 0 && !self.may_repeat(id) {
            return Err(self.broken(&rules::PROPERTY_TWICE));
        }
        self.seen |= bit;
        Ok(Some(id))
    }

    fn may_repeat(&self, id: u8) -> bool {
        id == id::USER_PROPERTY || (id == id::SUBSCRIPTION_ID && self.kind() == PacketKind::Publish)
    }

    /// The complaint about a property of another packet.
    pub(crate) fn foreign(&self) -> Violation {
        self.broken(&rules::PROPERTY_FOREIGN)
    }

    /// A byte that says no or yes.
    pub(crate) fn boolean(&mut self) -> Result<bool, Violation> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.broken(&rules::PROPERTY_NOT_BOOLEAN)),
        }
    }

    pub(crate) fn receive_maximum(&mut self) -> Result<NonZeroU16, Violation> {
        let number = self.u16()?;
        NonZeroU16::new(number).ok_or_else(|| self.broken(&rules::RECEIVE_MAXIMUM_ZERO))
    }

    pub(crate) fn packet_size_max(&mut self) -> Result<NonZeroU32, Violation> {
        let number = self.u32()?;
        NonZeroU32::new(number).ok_or_else(|| self.broken(&rules::PACKET_SIZE_ZERO))
    }

    pub(crate) fn subscription_id(&mut self) -> Result<SubscriptionId, Violation> {
        let number = self.varint()?;
        SubscriptionId::new(number).ok_or_else(|| self.broken(&rules::SUBSCRIPTION_ID_ZERO))
    }

    pub(crate) fn user_property(&mut self) -> Result<(ByteString, ByteString), Violation> {
        Ok((self.text()?, self.text()?))
    }
}

impl<'a> Deref for Properties<'a> {
    type Target = Reader<'a>;

    fn deref(&self) -> &Reader<'a> {
        &self.section
    }
}

impl<'a> DerefMut for Properties<'a> {
    fn deref_mut(&mut self) -> &mut Reader<'a> {
        &mut self.section
    }
}

/// Writes properties, each behind its identifier, leaving out those that are not there.
pub(crate) trait PropertySink: Sink {
    fn boolean_property(&mut self, id: u8, value: Option<bool>) {
        if let Some(value) = value {
            self.u8(id);
            self.u8(u8::from(value));
        }
    }

    fn u16_property(&mut self, id: u8, value: Option<u16>) {
        if let Some(value) = value {
            self.u8(id);
            self.u16(value);
        }
    }

    fn u32_property(&mut self, id: u8, value: Option<u32>) {
        if let Some(value) = value {
            self.u8(id);
            self.u32(value);
        }
    }

    fn text_property(&mut self, id: u8, value: Option<&str>) {
        if let Some(value) = value {
            self.u8(id);
            self.binary(value.as_bytes());
        }
    }

    fn binary_property(&mut self, id: u8, value: Option<&Bytes>) {
        if let Some(value) = value {
            self.u8(id);
            self.binary(value);
        }
    }

    fn subscription_id_property(&mut self, value: SubscriptionId) {
        self.u8(id::SUBSCRIPTION_ID);
        self.varint(value.get() as usize);
    }

    fn user_properties(&mut self, all: &UserProperties) {
        for (name, value) in all {
            self.u8(id::USER_PROPERTY);
            self.binary(name.as_bytes());
            self.binary(value.as_bytes());
        }
    }
}

impl<S: Sink> PropertySink for S {}

/// Copies of strings and bytes with storage of their own.
pub(crate) fn detach_bytes(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

/// As [`detach_bytes`], for a string.
pub(crate) fn detach_text(text: &ByteString) -> ByteString {
    ByteString::from(&**text)
}

/// As [`detach_bytes`], for names and values.
pub(crate) fn detach_user_properties(all: &UserProperties) -> UserProperties {
    all.iter()
        .map(|(name, value)| (detach_text(name), detach_text(value)))
        .collect()
}

#[cfg(test)]
mod tests;
