//! SUBACK.

use crate::ack::AckProperties;
use crate::encode::{Body, Sink, encode_verbs};
use crate::reader::Reader;
use crate::violation::rules;
use crate::{PacketId, PacketKind, SubackReason, Version, Violation};

/// Answers a SUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suback {
    /// Of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// Not on the wire in 3.x.
    pub properties: AckProperties,
    /// One for each filter, in their order. In 3.x every failure is 0x80 on the wire; 3.1 knew no failure and is sent
    /// 0x80 too, because there is no better way to tell.
    pub reasons: Vec<SubackReason>,
}

impl Suback {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        let packet_id = reader.packet_id(&rules::PACKET_ID_ZERO_SUBACK)?;
        let is_v5 = reader.version() == Version::V5;
        let properties = if is_v5 {
            AckProperties::decode(reader)?
        } else {
            AckProperties::default()
        };
        if reader.is_empty() {
            return Err(reader.broken(&rules::SUBACK_EMPTY));
        }
        let mut reasons = Vec::with_capacity(reader.remaining());
        while !reader.is_empty() {
            let code = reader.u8()?;
            let reason = SubackReason::from_code(code).filter(|reason| is_v5 || reason.v3_code() == code);
            reasons.push(reason.ok_or_else(|| reader.broken(&rules::SUBACK_REASON))?);
        }
        Ok(Self {
            packet_id,
            properties,
            reasons,
        })
    }
}

impl Body for Suback {
    const KIND: PacketKind = PacketKind::Suback;

    fn write<S: Sink>(&self, version: Version, out: &mut S) {
        out.u16(self.packet_id.get());
        if version == Version::V5 {
            out.section(&self.properties);
        }
        for reason in &self.reasons {
            out.u8(if version == Version::V5 {
                reason.code()
            } else {
                reason.v3_code()
            });
        }
    }
}

encode_verbs!(Suback);

#[cfg(test)]
mod tests;
