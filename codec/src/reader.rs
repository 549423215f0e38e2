//! Reads the fields of one packet, front to back, without copying.

use std::ops::Range;

use bytes::Bytes;
use bytestring::ByteString;

use crate::text;
use crate::violation::rules::{self, Rule};
use crate::{PacketId, PacketKind, TopicFilter, TopicName, Version, Violation, varint};

/// What is left of a packet, and what every complaint about it needs to know.
///
/// The buffer is borrowed: numbers cost no reference count, and each string or payload taken out costs one.
pub(crate) struct Reader<'a> {
    buffer: &'a Bytes,
    /// A part of the buffer.
    rest: &'a [u8],
    /// Where that part ends in the buffer.
    end: usize,
    version: Version,
    kind: PacketKind,
}

impl<'a> Reader<'a> {
    /// `body` is a part of `buffer`: what follows the fixed header.
    #[inline]
    pub(crate) fn new(buffer: &'a Bytes, body: Range<usize>, kind: PacketKind, version: Version) -> Self {
        Self {
            buffer,
            end: body.end,
            rest: buffer.get(body).unwrap_or_default(),
            version,
            kind,
        }
    }

    /// A reader of the next `len` bytes, which this one leaves behind.
    pub(crate) fn section(&mut self, len: usize) -> Result<Self, Violation> {
        let Some((section, rest)) = self.rest.split_at_checked(len) else {
            return Err(self.broken(&rules::CUT_SHORT));
        };
        self.rest = rest;
        Ok(Self {
            rest: section,
            end: self.end - rest.len(),
            ..*self
        })
    }

    #[inline]
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    #[inline]
    pub(crate) fn kind(&self) -> PacketKind {
        self.kind
    }

    /// CONNECT tells its version only in its middle.
    pub(crate) fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The violation of `rule` by this packet.
    #[cold]
    pub(crate) fn broken(&self, rule: &'static Rule) -> Violation {
        Violation::new(rule, self.version).in_packet(self.kind)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Violation> {
        let Some((array, rest)) = self.rest.split_first_chunk() else {
            return Err(self.broken(&rules::CUT_SHORT));
        };
        self.rest = rest;
        Ok(*array)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, Violation> {
        self.array().map(u8::from_be_bytes)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Result<u16, Violation> {
        self.array().map(u16::from_be_bytes)
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Result<u32, Violation> {
        self.array().map(u32::from_be_bytes)
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u32, Violation> {
        match varint::read(self.rest) {
            Ok(Some(number)) if number.minimal => {
                self.rest = self.rest.get(number.len..).unwrap_or_default();
                Ok(number.value)
            }
            Ok(Some(_)) => Err(self.broken(&rules::VARINT_NOT_MINIMAL)),
            Ok(None) => Err(self.broken(&rules::CUT_SHORT)),
            Err(rule) => Err(self.broken(rule)),
        }
    }

    /// Everything that is left.
    #[inline]
    pub(crate) fn take_rest(&mut self) -> Bytes {
        let start = self.end - self.rest.len();
        self.rest = &[];
        self.buffer.slice(start..self.end)
    }

    /// Bytes behind a two-byte length.
    #[inline]
    pub(crate) fn binary(&mut self) -> Result<Bytes, Violation> {
        let len = self.u16()?;
        let Some((bytes, rest)) = self.rest.split_at_checked(usize::from(len)) else {
            return Err(self.broken(&rules::CUT_SHORT));
        };
        self.rest = rest;
        let end = self.end - rest.len();
        Ok(self.buffer.slice(end - bytes.len()..end))
    }

    /// A string of the standard.
    pub(crate) fn text(&mut self) -> Result<ByteString, Violation> {
        text::checked(self.binary()?).map_err(|rule| self.broken(rule))
    }

    /// A Topic Name that may be empty; `wildcard` is the rule that a wildcard breaks.
    #[inline]
    pub(crate) fn topic_name(&mut self, wildcard: &'static Rule) -> Result<TopicName, Violation> {
        TopicName::from_wire(self.binary()?, wildcard).map_err(|rule| self.broken(rule))
    }

    /// A Topic Name of at least one character.
    pub(crate) fn full_topic_name(&mut self, wildcard: &'static Rule) -> Result<TopicName, Violation> {
        let name = self.topic_name(wildcard)?;
        if name.is_empty() {
            Err(self.broken(&rules::TOPIC_EMPTY))
        } else {
            Ok(name)
        }
    }

    pub(crate) fn topic_filter(&mut self) -> Result<TopicFilter, Violation> {
        TopicFilter::from_wire(self.binary()?, self.version).map_err(|rule| self.broken(rule))
    }

    /// A packet identifier; 0 breaks `rule`.
    #[inline]
    pub(crate) fn packet_id(&mut self, rule: &'static Rule) -> Result<PacketId, Violation> {
        let number = self.u16()?;
        PacketId::new(number).ok_or_else(|| self.broken(rule))
    }

    /// Complains when the packet goes on behind its last field.
    pub(crate) fn end(&self) -> Result<(), Violation> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.broken(&rules::LEFT_OVER))
        }
    }
}
