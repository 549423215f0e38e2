//! Topic Names: what a message is published to.

use bytes::Bytes;
use bytestring::ByteString;

use crate::text::{self, utf8, wire_text};
use crate::violation::rules::{self, Rule};
use crate::{TEXT_BYTES_MAX, Version, Violation};

wire_text! {
    /// Where a message goes: levels between slashes, without wildcards.
    ///
    /// Empty only in a 5.0 PUBLISH whose Topic Alias stands in for it.
    TopicName
}

impl TopicName {
    /// # Errors
    ///
    /// Wildcards ([MQTT-4.7.0-1] in 5.0), U+0000 ([MQTT-4.7.3-2] in 5.0), nothing at all ([MQTT-4.7.3-1] in 5.0), more
    /// than 65,535 bytes ([MQTT-4.7.3-3] in 5.0).
    pub fn new(text: impl Into<ByteString>) -> Result<Self, Violation> {
        let text = text.into();
        let broken = |rule| Violation::new(rule, Version::V5);
        if text.is_empty() {
            return Err(broken(&rules::TOPIC_EMPTY));
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(broken(&rules::TOPIC_TOO_LONG));
        }
        if has_forbidden(text.as_bytes()) {
            return Err(broken(forbidden(text.as_bytes(), &rules::TOPIC_WILDCARD)));
        }
        Ok(Self(text))
    }

    /// The empty name, which needs a Topic Alias beside it.
    #[must_use]
    pub const fn empty() -> Self {
        Self(ByteString::new())
    }

    /// The parts between the slashes, from the left; there is always one, perhaps empty.
    pub fn levels(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.as_str().split('/')
    }

    /// Checks bytes of the wire. The empty name passes, the rule for a wildcard is the caller's.
    #[inline]
    pub(crate) fn from_wire(bytes: Bytes, wildcard: &'static Rule) -> Result<Self, &'static Rule> {
        if has_forbidden(&bytes) {
            return Err(forbidden(&bytes, wildcard));
        }
        utf8(bytes).map(Self)
    }
}

/// Whether there is a wildcard or U+0000.
#[inline]
fn has_forbidden(bytes: &[u8]) -> bool {
    text::any_word(bytes, |word| {
        // `+` is 0x2B and `#` is 0x23: one bit apart, so that one comparison finds both.
        text::zero_bytes(word) | text::zero_bytes(word & text::each(!0x08) ^ text::each(b'#'))
    })
}

#[cold]
fn forbidden(bytes: &[u8], wildcard: &'static Rule) -> &'static Rule {
    if bytes.contains(&0) {
        &rules::NULL_CHARACTER
    } else {
        wildcard
    }
}
