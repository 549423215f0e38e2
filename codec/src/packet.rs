//! Any packet, and what the fixed header says about each kind.

use std::fmt;

use bytes::BytesMut;

use crate::reader::Reader;
use crate::violation::rules::{self, Rule};
use crate::{
    Auth, Connack, Connect, Disconnect, EncodeError, Puback, Pubcomp, Publish, Pubrec, Pubrel, Suback, Subscribe,
    Unsuback, Unsubscribe, Version, Violation, encode, ping,
};

/// One packet of any kind. The rare and large ones are boxed, so that a batch of PUBLISH packets stays dense.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    missing_docs,
    reason = "each variant is named like its packet, which has the documentation"
)]
pub enum Packet {
    Connect(Box<Connect>),
    Connack(Box<Connack>),
    Publish(Publish),
    Puback(Puback),
    Pubrec(Pubrec),
    Pubrel(Pubrel),
    Pubcomp(Pubcomp),
    Subscribe(Subscribe),
    Suback(Suback),
    Unsubscribe(Unsubscribe),
    Unsuback(Unsuback),
    Pingreq,
    Pingresp,
    Disconnect(Disconnect),
    Auth(Box<Auth>),
}

/// The fifteen kinds of packet, numbered as the fixed header does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    missing_docs,
    reason = "each variant is named like its packet, which has the documentation"
)]
pub enum PacketKind {
    Connect = 1,
    Connack = 2,
    Publish = 3,
    Puback = 4,
    Pubrec = 5,
    Pubrel = 6,
    Pubcomp = 7,
    Subscribe = 8,
    Suback = 9,
    Unsubscribe = 10,
    Unsuback = 11,
    Pingreq = 12,
    Pingresp = 13,
    Disconnect = 14,
    Auth = 15,
}

impl PacketKind {
    /// All kinds, by their number.
    pub const ALL: [Self; 15] = [
        Self::Connect,
        Self::Connack,
        Self::Publish,
        Self::Puback,
        Self::Pubrec,
        Self::Pubrel,
        Self::Pubcomp,
        Self::Subscribe,
        Self::Suback,
        Self::Unsubscribe,
        Self::Unsuback,
        Self::Pingreq,
        Self::Pingresp,
        Self::Disconnect,
        Self::Auth,
    ];

    /// The kind that the upper half of the first byte names; `None` for the reserved 0.
    pub(crate) const fn from_first_byte(byte: u8) -> Option<Self> {
        match byte >> 4 {
            1 => Some(Self::Connect),
            2 => Some(Self::Connack),
            3 => Some(Self::Publish),
            4 => Some(Self::Puback),
            5 => Some(Self::Pubrec),
            6 => Some(Self::Pubrel),
            7 => Some(Self::Pubcomp),
            8 => Some(Self::Subscribe),
            9 => Some(Self::Suback),
            10 => Some(Self::Unsubscribe),
            11 => Some(Self::Unsuback),
            12 => Some(Self::Pingreq),
            13 => Some(Self::Pingresp),
            14 => Some(Self::Disconnect),
            15 => Some(Self::Auth),
            _ => None,
        }
    }

    /// The first byte of a packet with these flags.
    pub(crate) const fn first_byte(self, flags: u8) -> u8 {
        (self as u8) << 4 | flags
    }

    /// The flags that the standard prescribes. PUBLISH uses its own.
    pub(crate) const fn flags(self) -> u8 {
        match self {
            Self::Pubrel | Self::Subscribe | Self::Unsubscribe => 0b0010,
            Self::Connect
            | Self::Connack
            | Self::Publish
            | Self::Puback
            | Self::Pubrec
            | Self::Pubcomp
            | Self::Suback
            | Self::Unsuback
            | Self::Pingreq
            | Self::Pingresp
            | Self::Disconnect
            | Self::Auth => 0b0000,
        }
    }

    /// Checks the flags of any packet but PUBLISH.
    pub(crate) fn check_flags(self, flags: u8, version: Version) -> Result<(), Violation> {
        // A client of 3.1 marks what it sends again: there DUP belongs to these three packets too.
        let repeats = matches!(self, Self::Pubrel | Self::Subscribe | Self::Unsubscribe);
        let tolerated = if version == Version::V31 && repeats { 0b1000 } else { 0 };
        if flags & !tolerated == self.flags() {
            Ok(())
        } else {
            Err(Violation::new(self.flags_rule(), version).in_packet(self))
        }
    }

    const fn flags_rule(self) -> &'static Rule {
        match self {
            Self::Pubrel => &rules::FLAGS_PUBREL,
            Self::Subscribe => &rules::FLAGS_SUBSCRIBE,
            Self::Unsubscribe => &rules::FLAGS_UNSUBSCRIBE,
            Self::Disconnect => &rules::FLAGS_DISCONNECT,
            Self::Auth => &rules::FLAGS_AUTH,
            Self::Connect
            | Self::Connack
            | Self::Publish
            | Self::Puback
            | Self::Pubrec
            | Self::Pubcomp
            | Self::Suback
            | Self::Unsuback
            | Self::Pingreq
            | Self::Pingresp => &rules::FLAGS,
        }
    }
}

impl fmt::Display for PacketKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "CONNECT",
            Self::Connack => "CONNACK",
            Self::Publish => "PUBLISH",
            Self::Puback => "PUBACK",
            Self::Pubrec => "PUBREC",
            Self::Pubrel => "PUBREL",
            Self::Pubcomp => "PUBCOMP",
            Self::Subscribe => "SUBSCRIBE",
            Self::Suback => "SUBACK",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::Unsuback => "UNSUBACK",
            Self::Pingreq => "PINGREQ",
            Self::Pingresp => "PINGRESP",
            Self::Disconnect => "DISCONNECT",
            Self::Auth => "AUTH",
        })
    }
}

impl Packet {
    /// Reads what follows the fixed header, to its end. The type is that of [`crate::decode`], so that the packet is
    /// built where its caller wants it: to move it on costs more than to read a small one.
    #[inline]
    pub(crate) fn decode(flags: u8, reader: &mut Reader<'_>) -> Result<Option<Self>, Violation> {
        let kind = reader.kind();
        if kind != PacketKind::Publish {
            kind.check_flags(flags, reader.version())?;
        }
        match kind {
            PacketKind::Connect => whole(reader, Connect::decode, |packet| Self::Connect(Box::new(packet))),
            PacketKind::Connack => whole(reader, Connack::decode, |packet| Self::Connack(Box::new(packet))),
            PacketKind::Publish => Publish::decode(flags, reader).map(|packet| Some(Self::Publish(packet))),
            PacketKind::Puback => whole(reader, Puback::decode, Self::Puback),
            PacketKind::Pubrec => whole(reader, Pubrec::decode, Self::Pubrec),
            PacketKind::Pubrel => whole(reader, Pubrel::decode, Self::Pubrel),
            PacketKind::Pubcomp => whole(reader, Pubcomp::decode, Self::Pubcomp),
            PacketKind::Subscribe => whole(reader, Subscribe::decode, Self::Subscribe),
            PacketKind::Suback => whole(reader, Suback::decode, Self::Suback),
            PacketKind::Unsubscribe => whole(reader, Unsubscribe::decode, Self::Unsubscribe),
            PacketKind::Unsuback => whole(reader, Unsuback::decode, Self::Unsuback),
            PacketKind::Pingreq => whole(reader, |_| Ok(()), |()| Self::Pingreq),
            PacketKind::Pingresp => whole(reader, |_| Ok(()), |()| Self::Pingresp),
            PacketKind::Disconnect => whole(reader, Disconnect::decode, Self::Disconnect),
            PacketKind::Auth => whole(reader, Auth::decode, |packet| Self::Auth(Box::new(packet))),
        }
    }

    /// Which of the fifteen it is.
    #[must_use]
    pub const fn kind(&self) -> PacketKind {
        match self {
            Self::Connect(_) => PacketKind::Connect,
            Self::Connack(_) => PacketKind::Connack,
            Self::Publish(_) => PacketKind::Publish,
            Self::Puback(_) => PacketKind::Puback,
            Self::Pubrec(_) => PacketKind::Pubrec,
            Self::Pubrel(_) => PacketKind::Pubrel,
            Self::Pubcomp(_) => PacketKind::Pubcomp,
            Self::Subscribe(_) => PacketKind::Subscribe,
            Self::Suback(_) => PacketKind::Suback,
            Self::Unsubscribe(_) => PacketKind::Unsubscribe,
            Self::Unsuback(_) => PacketKind::Unsuback,
            Self::Pingreq => PacketKind::Pingreq,
            Self::Pingresp => PacketKind::Pingresp,
            Self::Disconnect(_) => PacketKind::Disconnect,
            Self::Auth(_) => PacketKind::Auth,
        }
    }

    /// Appends the packet to `out`. A CONNECT carries its own version, whatever `version` says.
    ///
    /// # Errors
    ///
    /// When a string, the packet or a 3.x return code cannot be represented; `out` is unchanged then.
    pub fn encode(&self, version: Version, out: &mut BytesMut) -> Result<(), EncodeError> {
        match self {
            Self::Connect(packet) => packet.encode(out),
            Self::Connack(packet) => packet.encode(version, out),
            Self::Publish(packet) => packet.encode(version, out),
            Self::Puback(packet) => packet.encode(version, out),
            Self::Pubrec(packet) => packet.encode(version, out),
            Self::Pubrel(packet) => packet.encode(version, out),
            Self::Pubcomp(packet) => packet.encode(version, out),
            Self::Subscribe(packet) => packet.encode(version, out),
            Self::Suback(packet) => packet.encode(version, out),
            Self::Unsubscribe(packet) => packet.encode(version, out),
            Self::Unsuback(packet) => packet.encode(version, out),
            Self::Pingreq => {
                ping::encode_request(out);
                Ok(())
            }
            Self::Pingresp => {
                ping::encode_response(out);
                Ok(())
            }
            Self::Disconnect(packet) => packet.encode(version, out),
            Self::Auth(packet) => packet.encode(version, out),
        }
    }

    /// Size in bytes of what `encode` appends.
    #[must_use]
    pub fn encoded_len(&self, version: Version) -> usize {
        match self {
            Self::Connect(packet) => encode::encoded_len(&**packet, packet.version),
            Self::Connack(packet) => packet.encoded_len(version),
            Self::Publish(packet) => packet.encoded_len(version),
            Self::Puback(packet) => packet.encoded_len(version),
            Self::Pubrec(packet) => packet.encoded_len(version),
            Self::Pubrel(packet) => packet.encoded_len(version),
            Self::Pubcomp(packet) => packet.encoded_len(version),
            Self::Subscribe(packet) => packet.encoded_len(version),
            Self::Suback(packet) => packet.encoded_len(version),
            Self::Unsubscribe(packet) => packet.encoded_len(version),
            Self::Unsuback(packet) => packet.encoded_len(version),
            Self::Pingreq | Self::Pingresp => ping::ENCODED_LEN,
            Self::Disconnect(packet) => packet.encoded_len(version),
            Self::Auth(packet) => packet.encoded_len(version),
        }
    }
}

/// Reads one kind of packet, to its end.
#[inline]
fn whole<P>(
    reader: &mut Reader<'_>,
    decode: impl FnOnce(&mut Reader<'_>) -> Result<P, Violation>,
    wrap: impl FnOnce(P) -> Packet,
) -> Result<Option<Packet>, Violation> {
    let packet = decode(reader)?;
    reader.end()?;
    Ok(Some(wrap(packet)))
}
