//! Cutting packets out of a stream.

use bytes::{Buf, Bytes};

use crate::reader::Reader;
use crate::violation::rules;
use crate::{Connect, Packet, PacketKind, Version, Violation, varint};

/// What the fixed header at the front of some bytes announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A packet stands there in full.
    Whole {
        /// Its size in bytes, fixed header included.
        len: usize,
    },
    /// More bytes have to come.
    Partial {
        /// Size in bytes of the packet, once its length has been read.
        need: Option<usize>,
    },
}

/// A fixed header.
struct Header {
    kind: PacketKind,
    flags: u8,
    /// Bytes of the fixed header.
    len: usize,
    /// Bytes of the whole packet.
    packet_len: usize,
    /// Whether the length was written with as few bytes as possible.
    minimal: bool,
}

/// Measures the packet at the front of `bytes` without reading it.
///
/// `packet_size_max` is in bytes and counts the fixed header, as Maximum Packet Size does in 5.0.
///
/// # Errors
///
/// A length of more than four bytes, a packet larger than `packet_size_max`, a reserved type: each as soon as it shows.
/// The clause is that of 5.0, since the version is not known here.
pub fn frame(bytes: &[u8], packet_size_max: u32) -> Result<Frame, Violation> {
    Ok(match header(bytes, packet_size_max, Version::V5)? {
        Some(header) if header.packet_len <= bytes.len() => Frame::Whole { len: header.packet_len },
        Some(header) => Frame::Partial {
            need: Some(header.packet_len),
        },
        None => Frame::Partial { need: None },
    })
}

/// Takes one packet off the front of `bytes`; `None`, with `bytes` unchanged, when it is not whole.
///
/// # Errors
///
/// What the peer broke. The stream cannot be read on after that.
#[inline]
pub fn decode(bytes: &mut Bytes, version: Version, packet_size_max: u32) -> Result<Option<Packet>, Violation> {
    match header(bytes, packet_size_max, version)? {
        Some(header) if header.packet_len <= bytes.len() => decode_whole(bytes, &header, version),
        Some(_) | None => Ok(None),
    }
}

/// Takes the packet that `header` announces off the front of `bytes`, which hold it in full.
fn decode_whole(bytes: &mut Bytes, header: &Header, version: Version) -> Result<Option<Packet>, Violation> {
    if version == Version::V5 && !header.minimal {
        return Err(Violation::new(&rules::VARINT_NOT_MINIMAL, version).in_packet(header.kind));
    }
    if version != Version::V5 && header.kind == PacketKind::Auth {
        return Err(Violation::new(&rules::PACKET_TYPE, version));
    }
    take(bytes, header, version)
}

// One local and one exit: the packet is built in the caller's place.
#[inline]
fn take(bytes: &mut Bytes, header: &Header, version: Version) -> Result<Option<Packet>, Violation> {
    let mut reader = Reader::new(bytes, header.len..header.packet_len, header.kind, version);
    let packet = Packet::decode(header.flags, &mut reader);
    if packet.is_ok() {
        bytes.advance(header.packet_len);
    }
    packet
}

/// Takes the first packet of a connection, which has to be CONNECT, off the front of `bytes`.
///
/// # Errors
///
/// Anything else than CONNECT, as soon as its first byte is there ([MQTT-3.1.0-1] in 3.1.1 and 5.0), and whatever is
/// wrong in the CONNECT. The clause's version is that of the CONNECT when it could be read, else 5.0; an unknown level
/// below 5 is judged by 3.1.1.
pub fn decode_connect(bytes: &mut Bytes, packet_size_max: u32) -> Result<Option<Connect>, Violation> {
    if let Some(&first) = bytes.first()
        && PacketKind::from_first_byte(first) != Some(PacketKind::Connect)
    {
        let violation = Violation::new(&rules::FIRST_NOT_CONNECT, Version::V5);
        return Err(PacketKind::from_first_byte(first).map_or(violation, |kind| violation.in_packet(kind)));
    }
    let Some(header) = header(bytes, packet_size_max, Version::V5)? else {
        return Ok(None);
    };
    if header.packet_len > bytes.len() {
        return Ok(None);
    }
    header.kind.check_flags(header.flags, Version::V5)?;
    let mut reader = Reader::new(bytes, header.len..header.packet_len, header.kind, Version::V5);
    let connect = Connect::decode(&mut reader)?;
    reader.end()?;
    if connect.version == Version::V5 && !header.minimal {
        return Err(reader.broken(&rules::VARINT_NOT_MINIMAL));
    }
    bytes.advance(header.packet_len);
    Ok(Some(connect))
}

#[inline]
fn header(bytes: &[u8], packet_size_max: u32, version: Version) -> Result<Option<Header>, Violation> {
    let Some((&first, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let Some(kind) = PacketKind::from_first_byte(first) else {
        return Err(Violation::new(&rules::PACKET_TYPE, version));
    };
    let broken = |rule| Violation::new(rule, version).in_packet(kind);
    let Some(remaining) = varint::read(rest).map_err(broken)? else {
        return Ok(None);
    };
    let len = 1 + remaining.len;
    let packet_len = len + remaining.value as usize;
    if packet_len > packet_size_max as usize {
        return Err(broken(&rules::PACKET_TOO_LARGE));
    }
    Ok(Some(Header {
        kind,
        flags: first & 0x0F,
        len,
        packet_len,
        minimal: remaining.minimal,
    }))
}

#[cfg(test)]
mod tests;

/// The version that a CONNECT at the front of `bytes` announces, whatever else is wrong with it.
///
/// A refusal can be worded for the client that way, and a stream that is not MQTT gets none.
#[must_use]
pub fn announced_version(bytes: &[u8]) -> Option<Version> {
    let (first, rest) = bytes.split_first()?;
    if first >> 4 != 1 {
        return None;
    }
    let length_bytes = rest.iter().take(4).take_while(|byte| **byte & 0x80 != 0).count() + 1;
    let name_and_level = rest.get(length_bytes..)?;
    Version::ALL.into_iter().find(|version| {
        let name = version.protocol_name();
        let level_at = 2 + name.len();
        name_and_level.get(2..level_at) == Some(name.as_bytes())
            && name_and_level.get(level_at) == Some(&version.level())
    })
}
