//! UNSUBACK.

use crate::ack::AckProperties;
use crate::encode::{Body, Sink, encode_verbs};
use crate::reader::Reader;
use crate::violation::rules;
use crate::{PacketId, PacketKind, UnsubackReason, Version, Violation};

/// Answers an UNSUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsuback {
    /// Of the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// Not on the wire in 3.x.
    pub properties: AckProperties,
    /// One for each filter, in their order. Not on the wire in 3.x.
    pub reasons: Vec<UnsubackReason>,
}

impl Unsuback {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        let packet_id = reader.packet_id(&rules::PACKET_ID_ZERO_SUBACK)?;
        let mut found = Self {
            packet_id,
            properties: AckProperties::default(),
            reasons: Vec::new(),
        };
        if reader.version() != Version::V5 {
            return Ok(found);
        }
        found.properties = AckProperties::decode(reader)?;
        if reader.is_empty() {
            return Err(reader.broken(&rules::UNSUBACK_EMPTY));
        }
        while !reader.is_empty() {
            let code = reader.u8()?;
            let reason = UnsubackReason::from_code(code);
            found
                .reasons
                .push(reason.ok_or_else(|| reader.broken(&rules::UNSUBACK_REASON))?);
        }
        Ok(found)
    }
}

impl Body for Unsuback {
    const KIND: PacketKind = PacketKind::Unsuback;

    fn write<S: Sink>(&self, version: Version, out: &mut S) {
        out.u16(self.packet_id.get());
        if version == Version::V5 {
            out.section(&self.properties);
            for reason in &self.reasons {
                out.u8(reason.code());
            }
        }
    }
}

encode_verbs!(Unsuback);

#[cfg(test)]
mod tests;
