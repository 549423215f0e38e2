//! The few MQTT 3.1.1 packets that a load needs, framed by hand.
//!
//! This is no codec: it writes packets that are right by construction and reads only as much of the broker's answers
//! as counting and acknowledging take, because every nanosecond here is one that the broker does not get.

/// How often at most, and at least, a message arrives. The number is that of the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::enum_variant_names,
    reason = "these are the names that the standard gives them"
)]
pub(crate) enum Qos {
    /// At most once.
    AtMostOnce = 0,
    /// At least once.
    AtLeastOnce = 1,
    /// Exactly once.
    ExactlyOnce = 2,
}

/// The first bytes of each payload: who sent it, as which of its messages, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The publisher's number within the run.
    pub(crate) publisher: u32,
    /// How many messages this publisher sent before.
    pub(crate) sequence: u32,
    /// The generator's clock when the message was handed over, in nanoseconds.
    pub(crate) stamp_ns: u64,
}

impl Mark {
    /// How many bytes of payload the mark takes.
    pub(crate) const BYTES: usize = 16;

    /// Reads the mark from the front of a payload.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let (publisher, rest) = payload.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let (stamp, _) = rest.split_first_chunk()?;
        Some(Self {
            publisher: u32::from_be_bytes(*publisher),
            sequence: u32::from_be_bytes(*sequence),
            stamp_ns: u64::from_be_bytes(*stamp),
        })
    }
}

/// A PUBLISH of one publisher, framed once; only id and mark differ from message to message.
#[derive(Debug)]
pub(crate) struct Template {
    head: Vec<u8>,
    carries_id: bool,
    publisher: u32,
    padding: Vec<u8>,
}

impl Template {
    /// Frames messages of `payload_bytes`, at least [`Mark::BYTES`], to one topic.
    pub(crate) fn new(topic: &str, qos: Qos, payload_bytes: usize, publisher: u32) -> Self {
        let payload_bytes = payload_bytes.max(Mark::BYTES);
        let carries_id = qos != Qos::AtMostOnce;
        let id_bytes = if carries_id { 2 } else { 0 };
        let mut head = vec![0x30 | ((qos as u8) << 1)];
        put_length(&mut head, 2 + topic.len() + id_bytes + payload_bytes);
        put_string(&mut head, topic);
        Self {
            head,
            carries_id,
            publisher,
            padding: vec![b'x'; payload_bytes - Mark::BYTES],
        }
    }

    /// Appends the message with this sequence number. Packet ids follow the sequence and skip zero.
    pub(crate) fn append(&self, sequence: u32, stamp_ns: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        if self.carries_id {
            let id = u16::try_from(sequence % 65_535).map_or(1, |id| id + 1);
            out.extend_from_slice(&id.to_be_bytes());
        }
        out.extend_from_slice(&self.publisher.to_be_bytes());
        out.extend_from_slice(&sequence.to_be_bytes());
        out.extend_from_slice(&stamp_ns.to_be_bytes());
        out.extend_from_slice(&self.padding);
    }
}

/// A CONNECT with a clean session and a keep alive that no run outlasts.
pub(crate) fn connect(client_id: &str) -> Vec<u8> {
    const KEEP_ALIVE_SECS: u16 = 3_600;
    const CLEAN_SESSION: u8 = 0x02;
    let mut packet = vec![0x10];
    put_length(&mut packet, 12 + client_id.len());
    put_string(&mut packet, "MQTT");
    packet.extend_from_slice(&[4, CLEAN_SESSION]);
    packet.extend_from_slice(&KEEP_ALIVE_SECS.to_be_bytes());
    put_string(&mut packet, client_id);
    packet
}

/// A SUBSCRIBE to one filter, with packet id 1.
pub(crate) fn subscribe(filter: &str, qos: Qos) -> Vec<u8> {
    let mut packet = vec![0x82];
    put_length(&mut packet, 5 + filter.len());
    packet.extend_from_slice(&[0, 1]);
    put_string(&mut packet, filter);
    packet.push(qos as u8);
    packet
}

/// The goodbye of a client that wants no will sent.
pub(crate) const DISCONNECT: [u8; 2] = [0xe0, 0];

/// What the broker sent, as far as a load cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packet<'a> {
    /// The answer to CONNECT with its return code.
    Connack(u8),
    /// The answer to SUBSCRIBE with the first granted QoS, or 0x80.
    Suback(u8),
    /// A message; the id is there if its QoS is above 0.
    Publish {
        /// The delivery's QoS and packet id, if it wants an answer.
        wants: Option<(Qos, u16)>,
        /// The whole payload.
        payload: &'a [u8],
    },
    /// A QoS 1 message of ours has arrived.
    Puback,
    /// A QoS 2 message of ours has arrived; it waits for its release.
    Pubrec(u16),
    /// A QoS 2 message for us is released.
    Pubrel(u16),
    /// A QoS 2 message of ours is done.
    Pubcomp,
}

impl Packet<'_> {
    /// Appends the acknowledgement that this packet asks for, if it asks for one.
    pub(crate) fn answer(&self, out: &mut Vec<u8>) {
        let (kind, id) = match *self {
            Self::Publish {
                wants: Some((Qos::AtLeastOnce, id)),
                ..
            } => (0x40, id),
            Self::Publish {
                wants: Some((Qos::ExactlyOnce, id)),
                ..
            } => (0x50, id),
            Self::Pubrec(id) => (0x62, id),
            Self::Pubrel(id) => (0x70, id),
            Self::Publish { .. } | Self::Connack(_) | Self::Suback(_) | Self::Puback | Self::Pubcomp => return,
        };
        let [high, low] = id.to_be_bytes();
        out.extend_from_slice(&[kind, 2, high, low]);
    }
}

/// Takes one packet off the front of what was read; `None` asks for more bytes.
///
/// # Errors
///
/// Says what is wrong when the bytes cannot be an answer of an MQTT 3.1.1 broker.
pub(crate) fn next(bytes: &[u8]) -> Result<Option<(Packet<'_>, &[u8])>, &'static str> {
    let Some((&first, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let Some((length, rest)) = take_length(rest)? else {
        return Ok(None);
    };
    let Some((body, rest)) = rest.split_at_checked(length) else {
        return Ok(None);
    };
    let packet = match first >> 4 {
        2 => Packet::Connack(*body.get(1).ok_or("CONNACK too short")?),
        3 => publish(first, body)?,
        4 => Packet::Puback,
        5 => Packet::Pubrec(id(body)?),
        6 => Packet::Pubrel(id(body)?),
        7 => Packet::Pubcomp,
        9 => Packet::Suback(*body.get(2).ok_or("SUBACK too short")?),
        _ => return Err("a packet that no broker may send"),
    };
    Ok(Some((packet, rest)))
}

fn publish(first: u8, body: &[u8]) -> Result<Packet<'_>, &'static str> {
    let topic_bytes = usize::from(id(body)?);
    let rest = body.get(2 + topic_bytes..).ok_or("PUBLISH shorter than its topic")?;
    let qos = match first & 0x06 {
        0x00 => {
            return Ok(Packet::Publish {
                wants: None,
                payload: rest,
            });
        }
        0x02 => Qos::AtLeastOnce,
        0x04 => Qos::ExactlyOnce,
        _ => return Err("PUBLISH with QoS 3"),
    };
    let id = id(rest)?;
    Ok(Packet::Publish {
        wants: Some((qos, id)),
        payload: rest.get(2..).unwrap_or_default(),
    })
}

fn id(body: &[u8]) -> Result<u16, &'static str> {
    body.first_chunk()
        .map(|two| u16::from_be_bytes(*two))
        .ok_or("packet shorter than its two-byte number")
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
    Err("remaining length of more than four bytes")
}

fn put_length(packet: &mut Vec<u8>, mut length: usize) {
    loop {
        let low = u8::try_from(length & 0x7f).unwrap_or(0);
        length >>= 7;
        if length == 0 {
            packet.push(low);
            return;
        }
        packet.push(low | 0x80);
    }
}

/// Names in this crate are a few bytes long; what does not fit into the length field is cut.
fn put_string(packet: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    packet.extend_from_slice(&length.to_be_bytes());
    packet.extend_from_slice(text.as_bytes().get(..usize::from(length)).unwrap_or_default());
}

#[cfg(test)]
mod tests;
