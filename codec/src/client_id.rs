//! Client identifiers.

use bytestring::ByteString;

use crate::text::{has_null, wire_text};
use crate::violation::rules;
use crate::{TEXT_BYTES_MAX, Version, Violation};

wire_text! {
    /// What a client calls itself. Empty when it asks the server for a name.
    ClientId
}

impl ClientId {
    /// # Errors
    ///
    /// U+0000 ([MQTT-1.5.4-2] in 5.0), or more than 65,535 bytes.
    pub fn new(text: impl Into<ByteString>) -> Result<Self, Violation> {
        let text = text.into();
        if has_null(text.as_bytes()) {
            Err(Violation::new(&rules::NULL_CHARACTER, Version::V5))
        } else if text.len() > TEXT_BYTES_MAX {
            Err(Violation::new(&rules::CUT_SHORT, Version::V5))
        } else {
            Ok(Self(text))
        }
    }

    /// Takes what the reader has checked.
    pub(crate) fn from_checked(text: ByteString) -> Self {
        Self(text)
    }
}
