//! What a load sends.

use super::Mark;
use crate::load::plan::{Qos, Version};

/// The keep alive that clients ask for: long, so that a PINGREQ is rare enough to disturb no measurement.
pub(in crate::load) const KEEP_ALIVE_SECS: u16 = 3_600;
/// How long the broker keeps a session that is meant to stay, in 5.0; in 3.1.1 it stays until it is cleaned.
const SESSION_EXPIRY_SECS: u32 = 3_600;

/// The goodbye of a client that wants no will sent. It ends the same way in both versions.
pub(in crate::load) const DISCONNECT: [u8; 2] = [0xe0, 0];
/// The sign of life of a client that has nothing to say.
pub(in crate::load) const PINGREQ: [u8; 2] = [0xc0, 0];

/// Who connects.
#[derive(Clone, Copy, Debug)]
pub(in crate::load) struct Login<'a> {
    pub(in crate::load) client_id: &'a str,
    /// Whether the session begins empty and ends with the connection.
    pub(in crate::load) clean: bool,
    pub(in crate::load) user: Option<&'a str>,
    pub(in crate::load) password: Option<&'a str>,
}

/// Appends a CONNECT.
pub(in crate::load) fn connect(version: Version, login: &Login<'_>, out: &mut Vec<u8>) {
    let mut body = Vec::with_capacity(64);
    put_string(&mut body, "MQTT");
    body.push(match version {
        Version::V311 => 4,
        Version::V5 => 5,
    });
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    body.push(flag(login.clean, 0x02) | flag(login.user.is_some(), 0x80) | flag(login.password.is_some(), 0x40));
    body.extend_from_slice(&KEEP_ALIVE_SECS.to_be_bytes());
    if version == Version::V5 {
        if login.clean {
            body.push(0);
        } else {
            body.extend_from_slice(&[5, 0x11]);
            body.extend_from_slice(&SESSION_EXPIRY_SECS.to_be_bytes());
        }
    }
    put_string(&mut body, login.client_id);
    for text in [login.user, login.password].into_iter().flatten() {
        put_string(&mut body, text);
    }
    out.push(0x10);
    put_length(out, body.len());
    out.extend_from_slice(&body);
}

/// Appends a SUBSCRIBE to these topic filters.
pub(in crate::load) fn subscribe(
    version: Version,
    packet_id: u16,
    qos: Qos,
    filters: impl Iterator<Item = String>,
    out: &mut Vec<u8>,
) {
    let mut body = packet_id.to_be_bytes().to_vec();
    if version == Version::V5 {
        body.push(0);
    }
    for filter in filters {
        put_string(&mut body, &filter);
        body.push(qos.into());
    }
    out.push(0x82);
    put_length(out, body.len());
    out.extend_from_slice(&body);
}

/// The PUBLISH packets of one publisher; only topic, id, mark and size differ from message to message.
#[derive(Debug)]
pub(in crate::load) struct Template {
    version: Version,
    first: u8,
    publisher: u32,
    /// All topics with their lengths before them, one after the other.
    topics: Vec<u8>,
    /// Where each topic ends.
    ends: Vec<usize>,
}

impl Template {
    /// Prepares messages to these topics.
    pub(in crate::load) fn new(
        version: Version,
        qos: Qos,
        publisher: u32,
        topics: impl Iterator<Item = String>,
    ) -> Self {
        let (mut names, mut ends) = (Vec::new(), Vec::new());
        for topic in topics {
            put_string(&mut names, &topic);
            ends.push(names.len());
        }
        Self {
            version,
            first: 0x30 | (u8::from(qos) << 1),
            publisher,
            topics: names,
            ends,
        }
    }

    /// Asks the broker to retain every message.
    pub(in crate::load) fn retained(mut self) -> Self {
        self.first |= 0x01;
        self
    }

    /// Appends the message with this sequence number, which also gives its packet id.
    pub(in crate::load) fn append(
        &self,
        sequence: u32,
        place: u32,
        payload_bytes: u32,
        due_ns: u64,
        out: &mut Vec<u8>,
    ) {
        let padding_bytes = usize::try_from(payload_bytes).map_or(0, |bytes| bytes.saturating_sub(Mark::BYTES));
        self.head(sequence, place, Mark::BYTES + padding_bytes, out);
        let mut mark = [0; Mark::BYTES];
        let (who, due) = mark.split_at_mut(8);
        let numbers = (u64::from(self.publisher) << 32) | u64::from(sequence);
        who.copy_from_slice(&numbers.to_be_bytes());
        due.copy_from_slice(&due_ns.to_be_bytes());
        out.extend_from_slice(&mark);
        out.resize(out.len() + padding_bytes, b'x');
    }

    /// Appends a message without payload, which makes the broker forget what it retains on this topic.
    pub(in crate::load) fn append_empty(&self, sequence: u32, place: u32, out: &mut Vec<u8>) {
        self.head(sequence, place, 0, out);
    }

    fn head(&self, sequence: u32, place: u32, payload_bytes: usize, out: &mut Vec<u8>) {
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        let start = place
            .checked_sub(1)
            .and_then(|before| self.ends.get(before))
            .copied()
            .unwrap_or(0);
        let end = self.ends.get(place).copied().unwrap_or(start);
        let topic = self.topics.get(start..end).unwrap_or_default();
        let carries_id = self.first & 0x06 != 0;
        let properties_bytes = usize::from(self.version == Version::V5);
        let rest = topic.len() + 2 * usize::from(carries_id) + properties_bytes + payload_bytes;
        out.reserve(rest + 5);
        out.push(self.first);
        put_length(out, rest);
        out.extend_from_slice(topic);
        if carries_id {
            out.extend_from_slice(&packet_id(sequence).to_be_bytes());
        }
        if self.version == Version::V5 {
            out.push(0);
        }
    }
}

/// Packet ids follow the sequence and skip zero.
pub(in crate::load) fn packet_id(sequence: u32) -> u16 {
    u16::try_from(sequence % 65_535).map_or(1, |id| id + 1)
}

fn put_length(out: &mut Vec<u8>, mut length: usize) {
    loop {
        let low = u8::try_from(length & 0x7f).unwrap_or(0);
        length >>= 7;
        if length == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Names in this crate are a few bytes long; what does not fit into the length field is cut.
fn put_string(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(text.as_bytes().get(..usize::from(length)).unwrap_or_default());
}
