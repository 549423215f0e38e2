//! Writing packets: each says its fields once, and they are first counted, then written.

use std::fmt;

use bytes::{BufMut, BytesMut};

use crate::{PacketKind, Version, varint};

/// The most that can follow a fixed header, in bytes: what four bytes of a variable byte integer can say.
pub const REMAINING_LENGTH_MAX: u32 = 268_435_455;

/// The longest string or binary field, in bytes: what its two-byte length can say.
pub const TEXT_BYTES_MAX: usize = 65_535;

/// Why a packet has no form on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// A string or binary field has more than [`TEXT_BYTES_MAX`] bytes.
    TextTooLong,
    /// More than [`REMAINING_LENGTH_MAX`] bytes would follow the fixed header.
    PacketTooLarge,
    /// 3.x has no return code for this refusal, and the connection is closed without CONNACK: [MQTT-3.2.2-6] in 3.1.1.
    NoReturnCode,
    /// 3.x has no such packet.
    NotInVersion,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TextTooLong => "a string is longer than 65,535 bytes",
            Self::PacketTooLarge => "the packet is larger than 268,435,455 bytes",
            Self::NoReturnCode => "this refusal has no return code in MQTT 3.x: close the connection without a CONNACK",
            Self::NotInVersion => "this packet does not exist in MQTT 3.x",
        })
    }
}

impl std::error::Error for EncodeError {}

/// Takes the fields of a packet: a buffer, or a counter that only measures them.
pub(crate) trait Sink {
    fn slice(&mut self, bytes: &[u8]);

    /// Called for a field that the wire cannot hold; what is written from then on does not matter.
    fn refuse(&mut self, error: EncodeError);

    #[inline]
    fn u8(&mut self, number: u8) {
        self.slice(&[number]);
    }

    #[inline]
    fn u16(&mut self, number: u16) {
        self.slice(&number.to_be_bytes());
    }

    #[inline]
    fn u32(&mut self, number: u32) {
        self.slice(&number.to_be_bytes());
    }

    #[inline]
    fn varint(&mut self, number: usize) {
        varint::write(number, |byte| self.u8(byte));
    }

    /// Bytes behind a two-byte length: strings and binary data.
    #[inline]
    fn binary(&mut self, bytes: &[u8]) {
        match u16::try_from(bytes.len()) {
            Ok(len) => {
                self.u16(len);
                self.slice(bytes);
            }
            Err(_) => self.refuse(EncodeError::TextTooLong),
        }
    }

    /// A group of fields behind its length: the properties of 5.0.
    #[inline]
    fn section(&mut self, fields: &impl Fields)
    where
        Self: Sized,
    {
        self.varint(Count::of(fields));
        fields.write(self);
    }
}

/// Something that says its fields in the order of the wire.
pub(crate) trait Fields {
    fn write<S: Sink>(&self, out: &mut S);
}

/// A packet: what stands behind its fixed header.
pub(crate) trait Body {
    const KIND: PacketKind;

    fn flags(&self) -> u8 {
        Self::KIND.flags()
    }

    fn write<S: Sink>(&self, version: Version, out: &mut S);
}

/// Measures instead of writing.
#[derive(Default)]
pub(crate) struct Count {
    len: usize,
    error: Option<EncodeError>,
}

impl Count {
    /// Size in bytes of `fields`.
    pub(crate) fn of(fields: &impl Fields) -> usize {
        let mut count = Self::default();
        fields.write(&mut count);
        count.len
    }

    /// Size in bytes of `fields`, when each of them can be represented.
    pub(crate) fn checked(fields: &impl Fields) -> Result<usize, EncodeError> {
        let mut count = Self::default();
        fields.write(&mut count);
        count.error.map_or(Ok(count.len), Err)
    }
}

impl Sink for Count {
    #[inline]
    fn slice(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
    }

    fn refuse(&mut self, error: EncodeError) {
        self.error.get_or_insert(error);
    }
}

impl Sink for Vec<u8> {
    #[inline]
    fn slice(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    // Never reached: what cannot be written was found while counting.
    fn refuse(&mut self, _: EncodeError) {}
}

impl Sink for BytesMut {
    #[inline]
    fn slice(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    // Never reached: what cannot be written was found while counting.
    fn refuse(&mut self, _: EncodeError) {}
}

/// Appends a whole packet, or leaves `out` as it is.
#[inline]
pub(crate) fn encode<P: Body>(packet: &P, version: Version, out: &mut BytesMut) -> Result<(), EncodeError> {
    let mut count = Count::default();
    packet.write(version, &mut count);
    if let Some(error) = count.error {
        return Err(error);
    }
    if count.len > REMAINING_LENGTH_MAX as usize {
        return Err(EncodeError::PacketTooLarge);
    }
    out.reserve(5 + count.len);
    out.put_u8(P::KIND.first_byte(packet.flags()));
    out.varint(count.len);
    packet.write(version, out);
    Ok(())
}

/// Size in bytes of the whole packet.
#[inline]
pub(crate) fn encoded_len<P: Body>(packet: &P, version: Version) -> usize {
    let mut count = Count::default();
    packet.write(version, &mut count);
    1 + varint::len(count.len) + count.len
}

/// Gives a packet its two verbs of writing.
macro_rules! encode_verbs {
    ($packet:ty) => {
        impl $packet {
            /// Appends the packet to `out`.
            ///
            /// # Errors
            ///
            /// When a field or the packet cannot be represented; `out` is unchanged then.
            #[inline]
            pub fn encode(&self, version: crate::Version, out: &mut bytes::BytesMut) -> Result<(), crate::EncodeError> {
                crate::encode::encode(self, version, out)
            }

            /// Size in bytes of what `encode` appends.
            #[inline]
            #[must_use]
            pub fn encoded_len(&self, version: crate::Version) -> usize {
                crate::encode::encoded_len(self, version)
            }
        }
    };
}
pub(crate) use encode_verbs;

#[cfg(test)]
mod tests;
