//! SUBSCRIBE.

use crate::encode::{Body, Fields, Sink, encode_verbs};
use crate::properties::{Properties, PropertySink, UserProperties, id};
use crate::reader::Reader;
use crate::violation::rules;
use crate::{PacketId, PacketKind, QoS, SubscriptionId, TopicFilter, Version, Violation};

const NO_LOCAL: u8 = 0b0000_0100;
const RETAIN_AS_PUBLISHED: u8 = 0b0000_1000;
const RETAIN_HANDLING_SHIFT: u8 = 4;
const RESERVED_V5: u8 = 0b1100_0000;
const RESERVED_V3: u8 = 0b1111_1100;

/// Asks for messages.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscribe {
    /// For the SUBACK.
    pub packet_id: PacketId,
    /// Comes back with each message that one of these subscriptions matched. Not on the wire in 3.x.
    pub subscription_id: Option<SubscriptionId>,
    /// Not on the wire in 3.x.
    pub user_properties: UserProperties,
    /// At least one.
    pub filters: Vec<SubscribeFilter>,
}

/// One subscription of a SUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeFilter {
    /// Which topics.
    pub filter: TopicFilter,
    /// The highest QoS wanted.
    pub qos: QoS,
    /// Without the client's own messages. `false` in 3.x.
    pub no_local: bool,
    /// With the RETAIN flag as the publisher set it. `false` in 3.x.
    pub retain_as_published: bool,
    /// What to do about messages retained before. `Send` in 3.x.
    pub retain_handling: RetainHandling,
}

/// Whether a subscription is answered with the retained messages that match it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RetainHandling {
    /// Each time.
    #[default]
    Send = 0,
    /// Only when the subscription did not exist.
    SendIfNew = 1,
    /// Never.
    DoNotSend = 2,
}

impl SubscribeFilter {
    /// With the options that 3.x has.
    #[must_use]
    pub const fn new(filter: TopicFilter, qos: QoS) -> Self {
        Self {
            filter,
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        let filter = reader.topic_filter()?;
        let options = reader.u8()?;
        let reserved = if reader.version() == Version::V5 {
            RESERVED_V5
        } else {
            RESERVED_V3
        };
        if options & reserved != 0 {
            return Err(reader.broken(&rules::SUBSCRIBE_RESERVED));
        }
        let qos = QoS::try_from(options & 0b11).map_err(|_| reader.broken(&rules::SUBSCRIBE_QOS_3))?;
        let retain_handling = match options >> RETAIN_HANDLING_SHIFT {
            0 => RetainHandling::Send,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            _ => return Err(reader.broken(&rules::RETAIN_HANDLING_3)),
        };
        let no_local = options & NO_LOCAL != 0;
        if no_local && filter.share().is_some() {
            return Err(reader.broken(&rules::NO_LOCAL_SHARED));
        }
        let retain_as_published = options & RETAIN_AS_PUBLISHED != 0;
        Ok(Self {
            filter,
            qos,
            no_local,
            retain_as_published,
            retain_handling,
        })
    }

    fn options(&self, version: Version) -> u8 {
        let mut options = u8::from(self.qos);
        if version == Version::V5 {
            if self.no_local {
                options |= NO_LOCAL;
            }
            if self.retain_as_published {
                options |= RETAIN_AS_PUBLISHED;
            }
            options |= (self.retain_handling as u8) << RETAIN_HANDLING_SHIFT;
        }
        options
    }
}

impl Subscribe {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        let packet_id = reader.packet_id(&rules::PACKET_ID_ZERO)?;
        let mut subscription_id = None;
        let mut user_properties = UserProperties::new();
        if reader.version() == Version::V5 {
            let mut section = Properties::section(reader)?;
            while let Some(id) = section.next()? {
                match id {
                    id::SUBSCRIPTION_ID => subscription_id = Some(section.subscription_id()?),
                    id::USER_PROPERTY => user_properties.push(section.user_property()?),
                    _ => return Err(section.foreign()),
                }
            }
        }
        if reader.is_empty() {
            return Err(reader.broken(&rules::SUBSCRIBE_EMPTY));
        }
        let mut filters = Vec::with_capacity(1);
        while !reader.is_empty() {
            filters.push(SubscribeFilter::decode(reader)?);
        }
        Ok(Self {
            packet_id,
            subscription_id,
            user_properties,
            filters,
        })
    }
}

impl Fields for Subscribe {
    fn write<S: Sink>(&self, out: &mut S) {
        if let Some(subscription_id) = self.subscription_id {
            out.subscription_id_property(subscription_id);
        }
        out.user_properties(&self.user_properties);
    }
}

impl Body for Subscribe {
    const KIND: PacketKind = PacketKind::Subscribe;

    fn write<S: Sink>(&self, version: Version, out: &mut S) {
        out.u16(self.packet_id.get());
        if version == Version::V5 {
            out.section(self);
        }
        for filter in &self.filters {
            out.binary(filter.filter.as_bytes());
            out.u8(filter.options(version));
        }
    }
}

encode_verbs!(Subscribe);

#[cfg(test)]
mod tests;
