//! What PUBACK, PUBREC, PUBREL and PUBCOMP have in common.

use bytes::{BufMut, BytesMut};
use bytestring::ByteString;

use crate::encode::{Fields, Sink};
use crate::properties::{Properties, PropertySink, UserProperties, id};
use crate::reader::Reader;
use crate::violation::rules;
use crate::{PacketId, PacketKind, Version, Violation};

/// What an acknowledgement of 5.0 may say besides its reason. SUBACK and UNSUBACK carry the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AckProperties {
    /// For people who read logs, not for programs.
    pub reason_string: Option<ByteString>,
    /// Whatever the two sides agreed on.
    pub user_properties: UserProperties,
}

impl AckProperties {
    fn is_empty(&self) -> bool {
        self.reason_string.is_none() && self.user_properties.is_empty()
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        let mut found = Self::default();
        let mut section = Properties::section(reader)?;
        while let Some(id) = section.next()? {
            match id {
                id::REASON_STRING => found.reason_string = Some(section.text()?),
                id::USER_PROPERTY => found.user_properties.push(section.user_property()?),
                _ => return Err(section.foreign()),
            }
        }
        Ok(found)
    }
}

impl Fields for AckProperties {
    fn write<S: Sink>(&self, out: &mut S) {
        out.text_property(id::REASON_STRING, self.reason_string.as_deref());
        out.user_properties(&self.user_properties);
    }
}

/// Appends an acknowledgement that says success: four bytes, the same in every version.
///
/// `kind` is PUBACK, PUBREC, PUBREL or PUBCOMP; UNSUBACK of 3.x has the same form.
#[inline]
pub fn encode_short(kind: PacketKind, packet_id: PacketId, out: &mut BytesMut) {
    let [high, low] = packet_id.get().to_be_bytes();
    out.put_slice(&[kind.first_byte(kind.flags()), 2, high, low]);
}

/// The fields of an acknowledgement, its reason code not yet judged.
pub(crate) struct Acknowledgement {
    pub(crate) packet_id: PacketId,
    pub(crate) code: u8,
    pub(crate) properties: Option<Box<AckProperties>>,
}

/// Reads what follows the fixed header: 5.0 leaves out the properties, or these and the reason, when they say nothing.
#[inline]
pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Acknowledgement, Violation> {
    let packet_id = reader.packet_id(&rules::PACKET_ID_ZERO_ACK)?;
    let mut found = Acknowledgement {
        packet_id,
        code: 0,
        properties: None,
    };
    if reader.version() != Version::V5 || reader.is_empty() {
        return Ok(found);
    }
    found.code = reader.u8()?;
    if !reader.is_empty() {
        let properties = AckProperties::decode(reader)?;
        found.properties = (!properties.is_empty()).then(|| Box::new(properties));
    }
    Ok(found)
}

/// Writes what follows the fixed header, as short as the version allows.
pub(crate) fn write<S: Sink>(
    packet_id: PacketId,
    code: u8,
    properties: Option<&AckProperties>,
    version: Version,
    out: &mut S,
) {
    out.u16(packet_id.get());
    let properties = properties.filter(|properties| !properties.is_empty());
    if version == Version::V5 && (code != 0 || properties.is_some()) {
        out.u8(code);
        if let Some(properties) = properties {
            out.section(properties);
        }
    }
}

/// Defines one of the four: they differ in their name, their reasons and the rule against other reasons.
macro_rules! acknowledgement {
    ($(#[$doc:meta])* $packet:ident, $reason:ident, $rule:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $packet {
            /// Of the PUBLISH it belongs to.
            pub packet_id: crate::PacketId,
            /// Not on the wire in 3.x, where it always reads as success.
            pub reason: crate::$reason,
            /// Not on the wire in 3.x.
            pub properties: Option<Box<crate::AckProperties>>,
        }

        impl $packet {
            /// Without properties.
            #[must_use]
            pub const fn new(packet_id: crate::PacketId, reason: crate::$reason) -> Self {
                Self { packet_id, reason, properties: None }
            }

            #[inline]
            pub(crate) fn decode(reader: &mut crate::reader::Reader<'_>) -> Result<Self, crate::Violation> {
                let crate::ack::Acknowledgement { packet_id, code, properties } = crate::ack::decode(reader)?;
                let reason = crate::$reason::from_code(code)
                    .ok_or_else(|| reader.broken(&crate::violation::rules::$rule))?;
                Ok(Self { packet_id, reason, properties })
            }
        }

        impl crate::encode::Body for $packet {
            const KIND: crate::PacketKind = crate::PacketKind::$packet;

            fn write<S: crate::encode::Sink>(&self, version: crate::Version, out: &mut S) {
                crate::ack::write(self.packet_id, self.reason.code(), self.properties.as_deref(), version, out);
            }
        }

        crate::encode::encode_verbs!($packet);
    };
}
pub(crate) use acknowledgement;

#[cfg(test)]
mod tests;
