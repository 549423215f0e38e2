//! Strings of the wire: UTF-8 without U+0000, in a newtype per meaning.

use bytes::Bytes;
use bytestring::ByteString;

use crate::violation::rules::{self, Rule};

/// Checks bytes of the wire to be a string of the standard.
#[inline]
pub(crate) fn checked(bytes: Bytes) -> Result<ByteString, &'static Rule> {
    if has_null(&bytes) {
        return Err(&rules::NULL_CHARACTER);
    }
    utf8(bytes)
}

/// Checks bytes to be UTF-8; U+0000 passes.
#[inline]
pub(crate) fn utf8(bytes: Bytes) -> Result<ByteString, &'static Rule> {
    ByteString::try_from(bytes).map_err(|_| &rules::ILL_FORMED_UTF8)
}

/// Whether U+0000 is among `bytes`.
#[inline]
pub(crate) fn has_null(bytes: &[u8]) -> bool {
    any_word(bytes, zero_bytes)
}

/// Eight times the same byte.
pub(crate) const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Not 0 when one of the eight bytes is 0.
#[inline]
pub(crate) const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(each(1)) & !word & each(0x80)
}

/// Whether `found` gives anything but 0 for some eight bytes in a row; what is shorter is filled up with spaces.
///
/// Topics are short: eight bytes at a time beat sixteen, and a last word that overlaps the one before beats a loop over
/// what is left.
#[inline]
pub(crate) fn any_word(bytes: &[u8], found: impl Fn(u64) -> u64) -> bool {
    let Some(last) = bytes.last_chunk() else {
        let mut word = [b' '; 8];
        for (target, &byte) in word.iter_mut().zip(bytes) {
            *target = byte;
        }
        return found(u64::from_ne_bytes(word)) != 0;
    };
    let (words, _) = bytes.as_chunks();
    let last = found(u64::from_ne_bytes(*last));
    words
        .iter()
        .fold(last, |all, &word| all | found(u64::from_ne_bytes(word)))
        != 0
}

/// Defines a string newtype that is cheap to clone and reads like a `str`.
macro_rules! wire_text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(bytestring::ByteString);

        impl $name {
            /// The text.
            #[inline]
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// A copy with storage of its own, for keeping: a decoded one holds the whole read buffer alive.
            #[must_use]
            pub fn detach(&self) -> Self {
                Self(bytestring::ByteString::from(self.as_str()))
            }

            /// The text with its shared storage.
            #[must_use]
            pub fn into_inner(self) -> bytestring::ByteString {
                self.0
            }
        }

        impl std::ops::Deref for $name {
            type Target = str;

            #[inline]
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use wire_text;

#[cfg(test)]
mod tests;
