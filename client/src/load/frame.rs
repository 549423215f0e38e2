//! The few MQTT packets that a load needs, read and written by hand.
//!
//! This is no codec: it writes packets that are right by construction and reads only as much of the broker's answers
//! as counting and acknowledging take, because every nanosecond here is one that the broker does not get.

use super::payload::MARK_BYTES;
use super::plan::{Qos, Version};

mod write;

pub(super) use write::{DISCONNECT, KEEP_ALIVE_SECS, Login, PINGREQ, Template, connect, packet_id, subscribe};

/// The first bytes of each payload: who sent it, as which of its messages, and when that was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The publisher's number within the run.
    pub(super) publisher: u32,
    /// How many messages this publisher sent before.
    pub(super) sequence: u32,
    /// When the message was due, in nanoseconds of the run's clock.
    pub(super) due_ns: u64,
}

impl Mark {
    /// How many bytes of payload the mark takes.
    pub(super) const BYTES: usize = MARK_BYTES as usize;

    /// Reads the mark from the front of a payload.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let (publisher, rest) = payload.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let (due, _) = rest.split_first_chunk()?;
        Some(Self {
            publisher: u32::from_be_bytes(*publisher),
            sequence: u32::from_be_bytes(*sequence),
            due_ns: u64::from_be_bytes(*due),
        })
    }
}

/// The acknowledgement that a delivery wants: by its QoS, with its packet id.
pub(super) type Wanted = (Qos, u16);

/// A message for us, as far as a load cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    /// The delivery's QoS and packet id, if it wants an answer.
    pub(super) wants: Option<Wanted>,
    /// The mark, if the payload has one.
    pub(super) mark: Option<Mark>,
    /// The size of the payload.
    pub(super) payload_bytes: usize,
}

/// What a CONNACK of 5.0 says about the client's conduct; one of 3.1.1 leaves everything open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    /// Messages above QoS 0 that may be without their last acknowledgement.
    pub(super) receive_maximum: u16,
    /// The Keep Alive to use instead of the one asked for; 0 for none.
    pub(super) keep_alive_secs: Option<u16>,
}

impl Allowance {
    const FULL: Self = Self {
        receive_maximum: u16::MAX,
        keep_alive_secs: None,
    };
}

/// What the broker sent. Codes are those of 5.0; a 3.1.1 acknowledgement counts as 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packet {
    /// The answer to CONNECT, and what the broker allows.
    Connack { code: u8, allows: Allowance },
    /// The answer to SUBSCRIBE: the lowest QoS that it grants, or its first code of 0x80 or above.
    Suback { granted: u8 },
    /// A message for us.
    Publish(Delivery),
    /// A QoS 1 message of ours has arrived.
    Puback { id: u16, code: u8 },
    /// A QoS 2 message of ours has arrived and waits for its release, unless the code refuses it.
    Pubrec { id: u16, code: u8 },
    /// A QoS 2 message for us is released.
    Pubrel { id: u16 },
    /// A QoS 2 message of ours is done, unless the code says that the broker knows nothing of it.
    Pubcomp { id: u16, code: u8 },
    /// A keep-alive answer.
    Pingresp,
    /// The broker says goodbye; 5.0 only.
    Disconnect { code: u8 },
}

impl Packet {
    /// Appends the acknowledgement that this packet asks for, if it asks for one.
    pub(super) fn answer(&self, out: &mut Vec<u8>) {
        let (kind, id) = match *self {
            Self::Publish(Delivery {
                wants: Some((Qos::AtLeastOnce, id)),
                ..
            }) => (0x40, id),
            Self::Publish(Delivery {
                wants: Some((Qos::ExactlyOnce, id)),
                ..
            }) => (0x50, id),
            Self::Pubrec { id, code: ..0x80 } => (0x62, id),
            Self::Pubrel { id } => (0x70, id),
            Self::Publish(_)
            | Self::Connack { .. }
            | Self::Suback { .. }
            | Self::Puback { .. }
            | Self::Pubrec { .. }
            | Self::Pubcomp { .. }
            | Self::Pingresp
            | Self::Disconnect { .. } => return,
        };
        let [high, low] = id.to_be_bytes();
        out.extend_from_slice(&[kind, 2, high, low]);
    }
}

/// One packet off the front of what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The packet.
    pub(super) packet: Packet,
    /// How many of the bytes belong to it.
    pub(super) taken: usize,
    /// How many bytes of its payload have yet to arrive. Only a PUBLISH is found before its end: what follows its mark
    /// matters to nobody.
    pub(super) missing: usize,
}

/// Finds the packet at the front of what was read; `None` asks for more bytes.
///
/// # Errors
///
/// Says what is wrong when the bytes cannot come from a broker of this version.
pub(super) fn next(version: Version, bytes: &[u8]) -> Result<Option<Found>, &'static str> {
    let Some((&first, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let Some((length, body)) = take_length(rest)? else {
        return Ok(None);
    };
    let head = bytes.len() - body.len();
    let whole = body.get(..length);
    if first >> 4 == 3 {
        return publish(version, first, length, whole.unwrap_or(body)).map(|found| {
            found.map(|delivery| {
                let here = length.min(body.len());
                Found {
                    packet: Packet::Publish(delivery),
                    taken: head + here,
                    missing: length - here,
                }
            })
        });
    }
    let Some(body) = whole else { return Ok(None) };
    Ok(Some(Found {
        packet: answer(version, first, body)?,
        taken: head + length,
        missing: 0,
    }))
}

fn answer(version: Version, first: u8, body: &[u8]) -> Result<Packet, &'static str> {
    Ok(match first >> 4 {
        2 => Packet::Connack {
            code: *body.get(1).ok_or("a CONNACK without a code")?,
            allows: match version {
                Version::V311 => Allowance::FULL,
                Version::V5 => allowance(body.get(2..).unwrap_or_default())?,
            },
        },
        4 => Packet::Puback {
            id: number(body)?,
            code: code(body),
        },
        5 => Packet::Pubrec {
            id: number(body)?,
            code: code(body),
        },
        6 => Packet::Pubrel { id: number(body)? },
        7 => Packet::Pubcomp {
            id: number(body)?,
            code: code(body),
        },
        9 => Packet::Suback {
            granted: granted(version, body.get(2..).unwrap_or_default())?,
        },
        13 => Packet::Pingresp,
        14 if version == Version::V5 => Packet::Disconnect {
            code: body.first().copied().unwrap_or(0),
        },
        _ => return Err("a packet that no broker may send"),
    })
}

fn code(body: &[u8]) -> u8 {
    body.get(2).copied().unwrap_or(0)
}

/// Reads a PUBLISH of which `body` may be the beginning; `None` until the mark is there, or the end without one.
fn publish(version: Version, first: u8, length: usize, body: &[u8]) -> Result<Option<Delivery>, &'static str> {
    let whole = body.len() == length;
    let qos = match first & 0x06 {
        0x00 => None,
        0x02 => Some(Qos::AtLeastOnce),
        0x04 => Some(Qos::ExactlyOnce),
        _ => return Err("a PUBLISH with QoS 3"),
    };
    let parsed = publish_head(version, qos, body);
    let Some((wants, payload)) = parsed else {
        return if whole {
            Err("a PUBLISH shorter than its head")
        } else {
            Ok(None)
        };
    };
    let mark = Mark::read(payload);
    if mark.is_none() && !whole {
        return Ok(None);
    }
    Ok(Some(Delivery {
        wants,
        mark,
        payload_bytes: payload.len() + (length - body.len()),
    }))
}

/// The answer that a PUBLISH wants, and as much of its payload as is there.
fn publish_head(version: Version, qos: Option<Qos>, body: &[u8]) -> Option<(Option<Wanted>, &[u8])> {
    let topic_bytes = usize::from(number(body).ok()?);
    let mut rest = body.get(2 + topic_bytes..)?;
    let mut wants = None;
    if let Some(qos) = qos {
        wants = Some((qos, number(rest).ok()?));
        rest = rest.get(2..)?;
    }
    if version == Version::V5 {
        let (properties_bytes, after) = take_length(rest).ok()??;
        rest = after.get(properties_bytes..)?;
    }
    Some((wants, rest))
}

fn granted(version: Version, body: &[u8]) -> Result<u8, &'static str> {
    let codes = match version {
        Version::V311 => body,
        Version::V5 => {
            let (properties_bytes, rest) = take_length(body)?.ok_or("a SUBACK without properties")?;
            rest.get(properties_bytes..)
                .ok_or("a SUBACK shorter than its properties")?
        }
    };
    let refusal = codes.iter().find(|code| **code >= 0x80);
    refusal
        .or_else(|| codes.iter().min())
        .copied()
        .ok_or("a SUBACK without codes")
}

/// Looks through the properties of a CONNACK.
fn allowance(body: &[u8]) -> Result<Allowance, &'static str> {
    const CUT: &str = "a CONNACK shorter than its properties";
    let mut allows = Allowance::FULL;
    let Some((properties_bytes, rest)) = take_length(body)? else {
        return Ok(allows);
    };
    let mut rest = rest.get(..properties_bytes).ok_or(CUT)?;
    while let Some((&name, value)) = rest.split_first() {
        let value_bytes = match name {
            0x21 => {
                allows.receive_maximum = number(value)?;
                2
            }
            0x13 => {
                allows.keep_alive_secs = Some(number(value)?);
                2
            }
            0x24 | 0x25 | 0x28 | 0x29 | 0x2a => 1,
            0x22 => 2,
            0x11 | 0x27 => 4,
            0x12 | 0x15 | 0x16 | 0x1a | 0x1c | 0x1f => 2 + usize::from(number(value)?),
            0x26 => {
                let key_bytes = 2 + usize::from(number(value)?);
                key_bytes + 2 + usize::from(number(value.get(key_bytes..).ok_or(CUT)?)?)
            }
            _ => return Err("a CONNACK with an unknown property"),
        };
        rest = value.get(value_bytes..).ok_or(CUT)?;
    }
    Ok(allows)
}

fn number(body: &[u8]) -> Result<u16, &'static str> {
    body.first_chunk()
        .map(|two| u16::from_be_bytes(*two))
        .ok_or("a packet shorter than its two-byte number")
}

fn take_length(bytes: &[u8]) -> Result<Option<(usize, &[u8])>, &'static str> {
    let mut length = 0;
    let mut rest = bytes;
    for shift in [0, 7, 14, 21] {
        let Some((&byte, tail)) = rest.split_first() else {
            return Ok(None);
        };
        rest = tail;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(Some((length, rest)));
        }
    }
    Err("a length of more than four bytes")
}

#[cfg(test)]
mod tests;
