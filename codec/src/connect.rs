//! CONNECT.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use crate::encode::{self, Body, EncodeError, Fields, Sink};
use crate::properties::{Properties, PropertySink, UserProperties, id};
use crate::reader::Reader;
use crate::violation::rules;
use crate::{ClientId, PacketKind, QoS, Version, Violation, Will};

const RESERVED: u8 = 0b0000_0001;
const CLEAN_START: u8 = 0b0000_0010;
const WILL: u8 = 0b0000_0100;
const WILL_QOS_SHIFT: u8 = 3;
const WILL_RETAIN: u8 = 0b0010_0000;
const PASSWORD: u8 = 0b0100_0000;
const USER_NAME: u8 = 0b1000_0000;

/// In the protocol level of 3.x, set by a broker that bridges.
const BRIDGE: u8 = 0x80;

/// Opens a connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Connect {
    /// Which of the three protocols the client speaks.
    pub version: Version,
    /// The high bit of the protocol level is set, as Mosquitto's bridges do in 3.x to say that they forward messages.
    pub bridge: bool,
    /// Clean Session in 3.x.
    pub clean_start: bool,
    /// The longest silence that the client intends, in seconds; 0 for any.
    pub keep_alive_secs: u16,
    /// Empty when the server has to choose one.
    pub client_id: ClientId,
    /// What to send when the client is lost.
    pub will: Option<Will>,
    /// Who the client says it is.
    pub username: Option<ByteString>,
    /// Never logged.
    pub password: Option<Bytes>,
    /// Those of 5.0; in 3.x the defaults.
    pub properties: ConnectProperties,
}

/// What a client of 5.0 says besides.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectProperties {
    /// How long the session outlives the connection, in seconds; absent means 0, the maximum means for ever.
    pub session_expiry_secs: Option<u32>,
    /// How many QoS 1 and 2 messages the client takes at a time; absent means 65,535.
    pub receive_maximum: Option<NonZeroU16>,
    /// The largest packet that the client takes, in bytes; absent means any.
    pub packet_size_max: Option<NonZeroU32>,
    /// The highest alias that the client takes; 0 for none.
    pub topic_alias_max: u16,
    /// Whether the client asks for Response Information in CONNACK.
    pub request_response_information: bool,
    /// Whether reason strings and user properties may come with any packet.
    pub request_problem_information: bool,
    /// Whatever the two sides agreed on.
    pub user_properties: UserProperties,
    /// Starts an extended authentication.
    pub authentication_method: Option<ByteString>,
    /// Its first data; only with a method.
    pub authentication_data: Option<Bytes>,
}

impl Default for ConnectProperties {
    fn default() -> Self {
        Self {
            session_expiry_secs: None,
            receive_maximum: None,
            packet_size_max: None,
            topic_alias_max: 0,
            request_response_information: false,
            request_problem_information: true,
            user_properties: UserProperties::new(),
            authentication_method: None,
            authentication_data: None,
        }
    }
}

impl ConnectProperties {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        let mut found = Self::default();
        let mut section = Properties::section(reader)?;
        while let Some(id) = section.next()? {
            match id {
                id::SESSION_EXPIRY => found.session_expiry_secs = Some(section.u32()?),
                id::RECEIVE_MAXIMUM => found.receive_maximum = Some(section.receive_maximum()?),
                id::MAXIMUM_PACKET_SIZE => found.packet_size_max = Some(section.packet_size_max()?),
                id::TOPIC_ALIAS_MAXIMUM => found.topic_alias_max = section.u16()?,
                id::REQUEST_RESPONSE_INFORMATION => found.request_response_information = section.boolean()?,
                id::REQUEST_PROBLEM_INFORMATION => found.request_problem_information = section.boolean()?,
                id::USER_PROPERTY => found.user_properties.push(section.user_property()?),
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

impl Fields for ConnectProperties {
    fn write<S: Sink>(&self, out: &mut S) {
        out.u32_property(id::SESSION_EXPIRY, self.session_expiry_secs);
        out.u16_property(id::RECEIVE_MAXIMUM, self.receive_maximum.map(NonZeroU16::get));
        out.u32_property(id::MAXIMUM_PACKET_SIZE, self.packet_size_max.map(NonZeroU32::get));
        out.u16_property(
            id::TOPIC_ALIAS_MAXIMUM,
            (self.topic_alias_max > 0).then_some(self.topic_alias_max),
        );
        out.boolean_property(
            id::REQUEST_RESPONSE_INFORMATION,
            self.request_response_information.then_some(true),
        );
        out.boolean_property(
            id::REQUEST_PROBLEM_INFORMATION,
            (!self.request_problem_information).then_some(false),
        );
        out.user_properties(&self.user_properties);
        out.text_property(id::AUTHENTICATION_METHOD, self.authentication_method.as_deref());
        out.binary_property(id::AUTHENTICATION_DATA, self.authentication_data.as_ref());
    }
}

impl Connect {
    /// A plain one: clean start, no keep alive, nothing else.
    #[must_use]
    pub fn new(version: Version, client_id: ClientId) -> Self {
        Self {
            version,
            bridge: false,
            clean_start: true,
            keep_alive_secs: 0,
            client_id,
            will: None,
            username: None,
            password: None,
            properties: ConnectProperties::default(),
        }
    }

    /// Reads what follows the fixed header, and tells `reader` the version that it finds.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        let (version, bridge) = decode_protocol(reader)?;
        reader.set_version(version);
        let flags = reader.u8()?;
        let will_qos = check_flags(flags, reader)?;
        let keep_alive_secs = reader.u16()?;
        let properties = match version {
            Version::V31 | Version::V311 => ConnectProperties::default(),
            Version::V5 => ConnectProperties::decode(reader)?,
        };
        let client_id = ClientId::from_checked(reader.text()?);
        let will = match will_qos {
            Some(qos) => Some(Will::decode(reader, qos, flags & WILL_RETAIN != 0)?),
            None => None,
        };
        // In 3.1 a packet may end where the flags promise a user name or password: its length takes precedence.
        let promised =
            |flag: u8, reader: &Reader<'_>| flags & flag != 0 && !(version == Version::V31 && reader.is_empty());
        let username = if promised(USER_NAME, reader) {
            Some(reader.text()?)
        } else {
            None
        };
        let password = if promised(PASSWORD, reader) {
            Some(reader.binary()?)
        } else {
            None
        };
        let clean_start = flags & CLEAN_START != 0;
        Ok(Self {
            version,
            bridge,
            clean_start,
            keep_alive_secs,
            client_id,
            will,
            username,
            password,
            properties,
        })
    }

    fn flags(&self) -> u8 {
        let mut flags = 0;
        if self.clean_start {
            flags |= CLEAN_START;
        }
        if let Some(will) = &self.will {
            flags |= WILL | u8::from(will.qos) << WILL_QOS_SHIFT;
            if will.retain {
                flags |= WILL_RETAIN;
            }
        }
        if self.password.is_some() {
            flags |= PASSWORD;
        }
        if self.username.is_some() {
            flags |= USER_NAME;
        }
        flags
    }

    /// Appends the packet to `out`, in its own version.
    ///
    /// # Errors
    ///
    /// When a field or the packet cannot be represented; `out` is unchanged then.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        encode::encode(self, self.version, out)
    }

    /// Size in bytes of what `encode` appends.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        encode::encoded_len(self, self.version)
    }
}

/// Reads protocol name and level.
fn decode_protocol(reader: &mut Reader<'_>) -> Result<(Version, bool), Violation> {
    let name = reader.binary()?;
    if name != Version::V31.protocol_name() && name != Version::V311.protocol_name() {
        return Err(reader.broken(&rules::PROTOCOL_NAME));
    }
    let level = reader.u8()?;
    let version = match (&*name, level & !BRIDGE) {
        (b"MQIsdp", 3) => Version::V31,
        (b"MQTT", 4) => Version::V311,
        (b"MQTT", 5) if level & BRIDGE == 0 => Version::V5,
        (_, plain) => {
            // The answer has to be one that the client can read: an older client gets the older form.
            reader.set_version(if plain < Version::V5.level() {
                Version::V311
            } else {
                Version::V5
            });
            return Err(reader.broken(&rules::PROTOCOL_LEVEL));
        }
    };
    Ok((version, level & BRIDGE != 0))
}

/// Checks the connect flags against each other; gives the will's QoS when there is a will.
fn check_flags(flags: u8, reader: &Reader<'_>) -> Result<Option<QoS>, Violation> {
    // 3.1 calls these bits unused where 3.1.1 and 5.0 call them reserved.
    let strict = reader.version() != Version::V31;
    if strict && flags & RESERVED != 0 {
        return Err(reader.broken(&rules::CONNECT_RESERVED));
    }
    if flags & PASSWORD != 0 && flags & USER_NAME == 0 && reader.version() != Version::V5 {
        return Err(reader.broken(&rules::PASSWORD_ALONE));
    }
    let will_qos = flags >> WILL_QOS_SHIFT & 0b11;
    if flags & WILL != 0 {
        return QoS::try_from(will_qos)
            .map(Some)
            .map_err(|_| reader.broken(&rules::WILL_QOS_3));
    }
    if strict && will_qos != 0 {
        return Err(reader.broken(&rules::WILL_QOS_ALONE));
    }
    if strict && flags & WILL_RETAIN != 0 {
        return Err(reader.broken(&rules::WILL_RETAIN_ALONE));
    }
    Ok(None)
}

impl Body for Connect {
    const KIND: PacketKind = PacketKind::Connect;

    fn write<S: Sink>(&self, version: Version, out: &mut S) {
        out.binary(version.protocol_name().as_bytes());
        out.u8(version.level() | if self.bridge { BRIDGE } else { 0 });
        out.u8(Self::flags(self));
        out.u16(self.keep_alive_secs);
        if version == Version::V5 {
            out.section(&self.properties);
        }
        out.binary(self.client_id.as_bytes());
        if let Some(will) = &self.will {
            will.write(version, out);
        }
        if let Some(username) = &self.username {
            out.binary(username.as_bytes());
        }
        if let Some(password) = &self.password {
            out.binary(password);
        }
    }
}

#[cfg(test)]
mod tests;
