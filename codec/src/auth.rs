//! AUTH.

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use crate::encode::{self, Body, EncodeError, Fields, Sink};
use crate::properties::{Properties, PropertySink, UserProperties, id};
use crate::reader::Reader;
use crate::violation::rules;
use crate::{AuthReason, PacketKind, Version, Violation};

/// One step of an extended authentication. Exists in 5.0 only.
#[derive(Clone, Debug, PartialEq)]
pub struct Auth {
    /// Which step.
    pub reason: AuthReason,
    /// That of the CONNECT; absent only in the two-byte form that says success and nothing else.
    pub method: Option<ByteString>,
    /// What the method says.
    pub data: Option<Bytes>,
    /// For people who read logs, not for programs.
    pub reason_string: Option<ByteString>,
    /// Whatever the two sides agreed on.
    pub user_properties: UserProperties,
}

impl Auth {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        let mut found = Self {
            reason: AuthReason::Success,
            method: None,
            data: None,
            reason_string: None,
            user_properties: UserProperties::new(),
        };
        if reader.is_empty() {
            return Ok(found);
        }
        let code = reader.u8()?;
        found.reason = AuthReason::from_code(code).ok_or_else(|| reader.broken(&rules::AUTH_REASON))?;
        let mut section = Properties::section(reader)?;
        while let Some(id) = section.next()? {
            match id {
                id::AUTHENTICATION_METHOD => found.method = Some(section.text()?),
                id::AUTHENTICATION_DATA => found.data = Some(section.binary()?),
                id::REASON_STRING => found.reason_string = Some(section.text()?),
                id::USER_PROPERTY => found.user_properties.push(section.user_property()?),
                _ => return Err(section.foreign()),
            }
        }
        if found.method.is_none() {
            return Err(section.broken(&rules::AUTHENTICATION_METHOD_MISSING));
        }
        Ok(found)
    }

    fn says_nothing_but_success(&self) -> bool {
        self.reason == AuthReason::Success
            && self.method.is_none()
            && self.data.is_none()
            && self.reason_string.is_none()
            && self.user_properties.is_empty()
    }

    /// Appends the packet to `out`.
    ///
    /// # Errors
    ///
    /// When a field cannot be represented, and for 3.x, which has no AUTH; `out` is unchanged then.
    pub fn encode(&self, version: Version, out: &mut BytesMut) -> Result<(), EncodeError> {
        if version == Version::V5 {
            encode::encode(self, version, out)
        } else {
            Err(EncodeError::NotInVersion)
        }
    }

    /// Size in bytes of what `encode` appends.
    #[must_use]
    pub fn encoded_len(&self, version: Version) -> usize {
        encode::encoded_len(self, version)
    }
}

impl Fields for Auth {
    fn write<S: Sink>(&self, out: &mut S) {
        out.text_property(id::AUTHENTICATION_METHOD, self.method.as_deref());
        out.binary_property(id::AUTHENTICATION_DATA, self.data.as_ref());
        out.text_property(id::REASON_STRING, self.reason_string.as_deref());
        out.user_properties(&self.user_properties);
    }
}

impl Body for Auth {
    const KIND: PacketKind = PacketKind::Auth;

    fn write<S: Sink>(&self, _: Version, out: &mut S) {
        if !self.says_nothing_but_success() {
            out.u8(self.reason.code());
            out.section(self);
        }
    }
}

#[cfg(test)]
mod tests;
