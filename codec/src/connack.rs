//! CONNACK.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use crate::encode::{self, Body, EncodeError, Fields, Sink};
use crate::properties::{Properties, PropertySink, UserProperties, id};
use crate::reader::Reader;
use crate::violation::rules;
use crate::{ClientId, ConnackReason, PacketKind, QoS, Version, Violation};

const SESSION_PRESENT: u8 = 0b0000_0001;

/// Accepts or refuses a connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Connack {
    /// The server goes on with a session that it kept. Not on the wire in 3.1.
    pub session_present: bool,
    /// Success, or why not.
    pub reason: ConnackReason,
    /// Those of 5.0; in 3.x none.
    pub properties: ConnackProperties,
}

/// What a server of 5.0 says besides. What is absent has the default of the standard.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConnackProperties {
    /// The expiry that the server uses instead of the client's, in seconds.
    pub session_expiry_secs: Option<u32>,
    /// How many QoS 1 and 2 messages the server takes at a time; absent means 65,535.
    pub receive_maximum: Option<NonZeroU16>,
    /// The highest QoS that the server takes; 2 is said by leaving it out.
    pub qos_max: Option<QoS>,
    /// Whether retained messages exist here; absent means yes.
    pub retain_available: Option<bool>,
    /// The largest packet that the server takes, in bytes; absent means any.
    pub packet_size_max: Option<NonZeroU32>,
    /// The name given to a client that came without one.
    pub assigned_client_id: Option<ClientId>,
    /// The highest alias that the server takes; absent means 0, for none.
    pub topic_alias_max: Option<u16>,
    /// For people who read logs, not for programs.
    pub reason_string: Option<ByteString>,
    /// Whatever the two sides agreed on.
    pub user_properties: UserProperties,
    /// Whether filters may have wildcards; absent means yes.
    pub wildcard_subscription_available: Option<bool>,
    /// Whether subscriptions may have identifiers; absent means yes.
    pub subscription_ids_available: Option<bool>,
    /// Whether subscriptions may be shared; absent means yes.
    pub shared_subscription_available: Option<bool>,
    /// The keep alive that the client has to use instead of its own, in seconds.
    pub server_keep_alive_secs: Option<u16>,
    /// The basis for response topics.
    pub response_information: Option<ByteString>,
    /// Where else to go.
    pub server_reference: Option<ByteString>,
    /// The method of the CONNECT.
    pub authentication_method: Option<ByteString>,
    /// Its last data; only with a method.
    pub authentication_data: Option<Bytes>,
}

impl ConnackProperties {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        let mut found = Self::default();
        let mut section = Properties::section(reader)?;
        while let Some(id) = section.next()? {
            match id {
                id::SESSION_EXPIRY => found.session_expiry_secs = Some(section.u32()?),
                id::RECEIVE_MAXIMUM => found.receive_maximum = Some(section.receive_maximum()?),
                id::MAXIMUM_QOS => found.qos_max = Some(decode_qos_max(&mut section)?),
                id::RETAIN_AVAILABLE => found.retain_available = Some(section.boolean()?),
                id::MAXIMUM_PACKET_SIZE => found.packet_size_max = Some(section.packet_size_max()?),
                id::ASSIGNED_CLIENT_ID => found.assigned_client_id = Some(ClientId::from_checked(section.text()?)),
                id::TOPIC_ALIAS_MAXIMUM => found.topic_alias_max = Some(section.u16()?),
                id::REASON_STRING => found.reason_string = Some(section.text()?),
                id::USER_PROPERTY => found.user_properties.push(section.user_property()?),
                id::WILDCARD_SUBSCRIPTION_AVAILABLE => {
                    found.wildcard_subscription_available = Some(section.boolean()?);
                }
                id::SUBSCRIPTION_IDS_AVAILABLE => found.subscription_ids_available = Some(section.boolean()?),
                id::SHARED_SUBSCRIPTION_AVAILABLE => found.shared_subscription_available = Some(section.boolean()?),
                id::SERVER_KEEP_ALIVE => found.server_keep_alive_secs = Some(section.u16()?),
                id::RESPONSE_INFORMATION => found.response_information = Some(section.text()?),
                id::SERVER_REFERENCE => found.server_reference = Some(section.text()?),
                id::AUTHENTICATION_METHOD => found.authentication_method = Some(section.text()?),
                id::AUTHENTICATION_DATA => found.authentication_data = Some(section.binary()?),
                _ => return Err(section.foreign()),
            }
        }
        if found.authentication_data.is_some() && found.authentication_method.is_none() {
            return Err(section.broken(&rules::AUTHENTICATION_DATA_ALONE));
        }
        Ok(found)
    }
}

fn decode_qos_max(section: &mut Properties<'_>) -> Result<QoS, Violation> {
    match section.u8()? {
        0 => Ok(QoS::AtMostOnce),
        1 => Ok(QoS::AtLeastOnce),
        _ => Err(section.broken(&rules::MAXIMUM_QOS)),
    }
}

impl Fields for ConnackProperties {
    fn write<S: Sink>(&self, out: &mut S) {
        out.u32_property(id::SESSION_EXPIRY, self.session_expiry_secs);
        out.u16_property(id::RECEIVE_MAXIMUM, self.receive_maximum.map(NonZeroU16::get));
        // QoS 2 is what absence means; to write it would be a Protocol Error.
        let qos_max = self.qos_max.filter(|&qos| qos < QoS::ExactlyOnce);
        out.boolean_property(id::MAXIMUM_QOS, qos_max.map(|qos| qos == QoS::AtLeastOnce));
        out.boolean_property(id::RETAIN_AVAILABLE, self.retain_available);
        out.u32_property(id::MAXIMUM_PACKET_SIZE, self.packet_size_max.map(NonZeroU32::get));
        out.text_property(id::ASSIGNED_CLIENT_ID, self.assigned_client_id.as_deref());
        out.u16_property(id::TOPIC_ALIAS_MAXIMUM, self.topic_alias_max);
        out.text_property(id::REASON_STRING, self.reason_string.as_deref());
        out.user_properties(&self.user_properties);
        out.boolean_property(
            id::WILDCARD_SUBSCRIPTION_AVAILABLE,
            self.wildcard_subscription_available,
        );
        out.boolean_property(id::SUBSCRIPTION_IDS_AVAILABLE, self.subscription_ids_available);
        out.boolean_property(id::SHARED_SUBSCRIPTION_AVAILABLE, self.shared_subscription_available);
        out.u16_property(id::SERVER_KEEP_ALIVE, self.server_keep_alive_secs);
        out.text_property(id::RESPONSE_INFORMATION, self.response_information.as_deref());
        out.text_property(id::SERVER_REFERENCE, self.server_reference.as_deref());
        out.text_property(id::AUTHENTICATION_METHOD, self.authentication_method.as_deref());
        out.binary_property(id::AUTHENTICATION_DATA, self.authentication_data.as_ref());
    }
}

impl Connack {
    /// A refusal without further words.
    #[must_use]
    pub fn refuse(reason: ConnackReason) -> Self {
        Self {
            session_present: false,
            reason,
            properties: ConnackProperties::default(),
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        let flags = reader.u8()?;
        let code = reader.u8()?;
        let reason = match reader.version() {
            Version::V31 | Version::V311 => ConnackReason::from_v3_code(code),
            Version::V5 => ConnackReason::from_code(code),
        };
        let reason = reason.ok_or_else(|| reader.broken(&rules::CONNACK_REASON))?;
        // 3.1 calls the whole byte unused.
        let session_present = flags & SESSION_PRESENT != 0 && reader.version() != Version::V31;
        if flags & !SESSION_PRESENT != 0 && reader.version() != Version::V31 {
            return Err(reader.broken(&rules::CONNACK_FLAGS));
        }
        if session_present && reason != ConnackReason::Success {
            return Err(reader.broken(&rules::SESSION_PRESENT_REFUSED));
        }
        let properties = match reader.version() {
            Version::V31 | Version::V311 => ConnackProperties::default(),
            Version::V5 => ConnackProperties::decode(reader)?,
        };
        Ok(Self {
            session_present,
            reason,
            properties,
        })
    }

    /// Appends the packet to `out`.
    ///
    /// # Errors
    ///
    /// When a field cannot be represented, or 3.x has no return code for the reason: then the connection is closed
    /// without a CONNACK. `out` is unchanged.
    pub fn encode(&self, version: Version, out: &mut BytesMut) -> Result<(), EncodeError> {
        if version != Version::V5 && self.reason.v3_code().is_none() {
            return Err(EncodeError::NoReturnCode);
        }
        encode::encode(self, version, out)
    }

    /// Size in bytes of what `encode` appends.
    #[must_use]
    pub fn encoded_len(&self, version: Version) -> usize {
        encode::encoded_len(self, version)
    }
}

impl Body for Connack {
    const KIND: PacketKind = PacketKind::Connack;

    fn write<S: Sink>(&self, version: Version, out: &mut S) {
        let session_present = self.session_present && version != Version::V31;
        out.u8(if session_present { SESSION_PRESENT } else { 0 });
        if version == Version::V5 {
            out.u8(self.reason.code());
            out.section(&self.properties);
        } else {
            out.u8(self.reason.v3_code().unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests;
