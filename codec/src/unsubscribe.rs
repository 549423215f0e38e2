//! UNSUBSCRIBE.

use crate::encode::{Body, Fields, Sink, encode_verbs};
use crate::properties::{Properties, PropertySink, UserProperties, id};
use crate::reader::Reader;
use crate::violation::rules;
use crate::{PacketId, PacketKind, TopicFilter, Version, Violation};

/// Ends subscriptions.
#[derive(Clone, Debug, PartialEq)]
pub struct Unsubscribe {
    /// For the UNSUBACK.
    pub packet_id: PacketId,
    /// Not on the wire in 3.x.
    pub user_properties: UserProperties,
    /// At least one; each as it was subscribed.
    pub filters: Vec<TopicFilter>,
}

impl Unsubscribe {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        let packet_id = reader.packet_id(&rules::PACKET_ID_ZERO)?;
        let mut user_properties = UserProperties::new();
        if reader.version() == Version::V5 {
            let mut section = Properties::section(reader)?;
            while let Some(id) = section.next()? {
                match id {
                    id::USER_PROPERTY => user_properties.push(section.user_property()?),
                    _ => return Err(section.foreign()),
                }
            }
        }
        if reader.is_empty() {
            return Err(reader.broken(&rules::UNSUBSCRIBE_EMPTY));
        }
        let mut filters = Vec::with_capacity(1);
        while !reader.is_empty() {
            filters.push(reader.topic_filter()?);
        }
        Ok(Self {
            packet_id,
            user_properties,
            filters,
        })
    }
}

impl Fields for Unsubscribe {
    fn write<S: Sink>(&self, out: &mut S) {
        out.user_properties(&self.user_properties);
    }
}

impl Body for Unsubscribe {
    const KIND: PacketKind = PacketKind::Unsubscribe;

    fn write<S: Sink>(&self, version: Version, out: &mut S) {
        out.u16(self.packet_id.get());
        if version == Version::V5 {
            out.section(self);
        }
        for filter in &self.filters {
            out.binary(filter.as_bytes());
        }
    }
}

encode_verbs!(Unsubscribe);

#[cfg(test)]
mod tests;
