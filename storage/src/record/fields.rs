//! The fields of a value's content: numbers in network order, lengths as variable integers.

use bytes::{Buf, BufMut, Bytes, TryGetError};
use bytestring::ByteString;
use mqtt_codec::{QoS, TopicName};

/// The low two bits of a first byte.
const QOS: u8 = 0b11;

const CUT_SHORT: &str = "it is cut short";

/// The content of one value, front to back. What is taken out shares the value's bytes.
pub(crate) struct Fields {
    rest: Bytes,
}

impl Fields {
    pub(crate) fn new(content: Bytes) -> Self {
        Self { rest: content }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn u8(&mut self) -> Result<u8, &'static str> {
        self.rest.try_get_u8().map_err(cut_short)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, &'static str> {
        self.rest.try_get_u16().map_err(cut_short)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, &'static str> {
        self.rest.try_get_u32().map_err(cut_short)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, &'static str> {
        self.rest.try_get_u64().map_err(cut_short)
    }

    /// A number of one to five bytes, the lowest seven bits first.
    pub(crate) fn varint(&mut self) -> Result<u32, &'static str> {
        let mut number = 0_u64;
        for shift in (0..35).step_by(7) {
            let byte = self.u8()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(number).map_err(|_| "a number in it is out of range");
            }
        }
        Err("a number in it is out of range")
    }

    /// Bytes behind their length.
    pub(crate) fn block(&mut self) -> Result<Bytes, &'static str> {
        let len = self.varint()? as usize;
        if len > self.rest.len() {
            return Err(CUT_SHORT);
        }
        Ok(self.rest.split_to(len))
    }

    /// Text behind its length.
    pub(crate) fn text(&mut self) -> Result<ByteString, &'static str> {
        text(self.block()?)
    }

    /// A topic name behind its length.
    pub(crate) fn topic(&mut self) -> Result<TopicName, &'static str> {
        TopicName::new(self.text()?).map_err(|_| "its topic is not a topic name")
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.rest)
    }
}

#[cold]
fn cut_short(_: TryGetError) -> &'static str {
    CUT_SHORT
}

/// Bytes as text.
pub(super) fn text(bytes: Bytes) -> Result<ByteString, &'static str> {
    ByteString::try_from(bytes).map_err(|_| "a text in it is not UTF-8")
}

/// The QoS in the low two bits of a first byte.
pub(super) fn qos(flags: u8) -> Result<QoS, &'static str> {
    QoS::try_from(flags & QOS).map_err(|_| "its QoS does not exist")
}

/// `bit` if `is_set`, for a first byte.
#[inline]
pub(super) fn flag(bit: u8, is_set: bool) -> u8 {
    if is_set { bit } else { 0 }
}

/// Writes what [`Fields::varint`] reads.
#[inline]
pub(super) fn put_varint(out: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Writes what [`Fields::block`] reads. Texts and data of MQTT have 65,535 bytes at most.
#[inline]
pub(super) fn put_block(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u32);
    out.put_slice(bytes);
}
