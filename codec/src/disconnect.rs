//! DISCONNECT.

use bytestring::ByteString;

use crate::encode::{Body, Fields, Sink, encode_verbs};
use crate::properties::{Properties, PropertySink, UserProperties, id};
use crate::reader::Reader;
use crate::violation::rules;
use crate::{DisconnectReason, PacketKind, Version, Violation};

/// Ends a connection. Only the client's, and without a word, in 3.x.
#[derive(Clone, Debug, PartialEq)]
pub struct Disconnect {
    /// Not on the wire in 3.x, where it always reads as normal.
    pub reason: DisconnectReason,
    /// Replaces the expiry of the CONNECT, in seconds; only from a client.
    pub session_expiry_secs: Option<u32>,
    /// For people who read logs, not for programs.
    pub reason_string: Option<ByteString>,
    /// Whatever the two sides agreed on.
    pub user_properties: UserProperties,
    /// Where else to go; only from a server.
    pub server_reference: Option<ByteString>,
}

impl Disconnect {
    /// Without properties.
    #[must_use]
    pub const fn new(reason: DisconnectReason) -> Self {
        Self {
            reason,
            session_expiry_secs: None,
            reason_string: None,
            user_properties: UserProperties::new(),
            server_reference: None,
        }
    }

    fn has_properties(&self) -> bool {
        self.session_expiry_secs.is_some()
            || self.reason_string.is_some()
            || !self.user_properties.is_empty()
            || self.server_reference.is_some()
    }

    /// Reads what follows the fixed header: 5.0 leaves out the properties, or these and the reason, when they say
    /// nothing.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        let mut found = Self::new(DisconnectReason::NormalDisconnection);
        if reader.version() != Version::V5 || reader.is_empty() {
            return Ok(found);
        }
        let code = reader.u8()?;
        found.reason = DisconnectReason::from_code(code).ok_or_else(|| reader.broken(&rules::DISCONNECT_REASON))?;
        if reader.is_empty() {
            return Ok(found);
        }
        let mut section = Properties::section(reader)?;
        while let Some(id) = section.next()? {
            match id {
                id::SESSION_EXPIRY => found.session_expiry_secs = Some(section.u32()?),
                id::REASON_STRING => found.reason_string = Some(section.text()?),
                id::USER_PROPERTY => found.user_properties.push(section.user_property()?),
                id::SERVER_REFERENCE => found.server_reference = Some(section.text()?),
                _ => return Err(section.foreign()),
            }
        }
        Ok(found)
    }
}

impl Fields for Disconnect {
    fn write<S: Sink>(&self, out: &mut S) {
        out.u32_property(id::SESSION_EXPIRY, self.session_expiry_secs);
        out.text_property(id::REASON_STRING, self.reason_string.as_deref());
        out.user_properties(&self.user_properties);
        out.text_property(id::SERVER_REFERENCE, self.server_reference.as_deref());
    }
}

impl Body for Disconnect {
    const KIND: PacketKind = PacketKind::Disconnect;

    fn write<S: Sink>(&self, version: Version, out: &mut S) {
        if version != Version::V5 {
            return;
        }
        let has_properties = self.has_properties();
        if has_properties || self.reason != DisconnectReason::NormalDisconnection {
            out.u8(self.reason.code());
        }
        if has_properties {
            out.section(self);
        }
    }
}

encode_verbs!(Disconnect);

#[cfg(test)]
mod tests;
