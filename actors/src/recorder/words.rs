//! A packet in words, also one of which only the start was kept.

use mqtt_codec::{
    AuthReason, ConnackReason, DisconnectReason, PacketKind, PubackReason, PubcompReason, PubrecReason, PubrelReason,
    SubackReason, UnsubackReason,
};

/// What a packet says: its name and its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) packet: String,
    pub(crate) text: String,
    /// Of a PUBLISH: where its payload begins.
    pub(crate) payload_at: Option<usize>,
}

/// Puts the packet into words. `len` is its whole size, of which `bytes` are the start.
pub(crate) fn describe(bytes: &[u8], len: usize, v5: bool) -> Words {
    let Some((&first, kind)) = bytes
        .first()
        .and_then(|first| Some((first, *PacketKind::ALL.get(usize::from(first >> 4).checked_sub(1)?)?)))
    else {
        return Words {
            packet: "unknown".to_owned(),
            text: format!("{len} bytes that are no packet of MQTT"),
            payload_at: None,
        };
    };
    let mut reader = Reader { bytes, at: 1, v5 };
    let mut text = Vec::new();
    let mut payload_at = None;
    let whole = if kind == PacketKind::Publish {
        publish(&mut reader, first, len, &mut text).map(|at| payload_at = Some(at))
    } else {
        fields(&mut reader, kind, &mut text)
    };
    if whole.is_none() && kind != PacketKind::Publish {
        text.push(if len > bytes.len() { "(cut)" } else { "(not understood)" }.to_owned());
    }
    Words {
        packet: kind.to_string(),
        text: text.join(" "),
        payload_at,
    }
}

/// Reads from the front. Each step is `None` where the packet ends too early.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    v5: bool,
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from(self.byte()?) << 8 | u16::from(self.byte()?))
    }

    fn varint(&mut self) -> Option<usize> {
        let mut number = 0;
        for place in 0..4 {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.at = self.at.checked_add(bytes)?;
        (self.at <= self.bytes.len()).then_some(())
    }

    /// A text of the client's, as far as it is there.
    fn text(&mut self) -> Option<String> {
        let len = usize::from(self.number()?);
        let rest = self.bytes.get(self.at..)?;
        let text = rest.get(..len);
        self.at += len;
        text.map(|text| String::from_utf8_lossy(text).into_owned())
    }

    fn properties(&mut self) -> Option<()> {
        if self.v5 {
            let len = self.varint()?;
            self.skip(len)
        } else {
            Some(())
        }
    }

    fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }
}

fn publish(reader: &mut Reader<'_>, first: u8, len: usize, text: &mut Vec<String>) -> Option<usize> {
    let qos = first >> 1 & 3;
    text.push(format!("q{qos}"));
    if first & 1 != 0 {
        text.push("retain".to_owned());
    }
    if first & 8 != 0 {
        text.push("dup".to_owned());
    }
    reader.varint()?;
    let topic = reader.text()?;
    if qos > 0 {
        text.push(format!("id {}", reader.number()?));
    }
    text.push(if topic.is_empty() {
        "(by topic alias)".to_owned()
    } else {
        topic
    });
    reader.properties()?;
    text.push(format!("({} bytes)", len.saturating_sub(reader.at)));
    Some(reader.at)
}

fn fields(reader: &mut Reader<'_>, kind: PacketKind, text: &mut Vec<String>) -> Option<()> {
    reader.varint()?;
    match kind {
        PacketKind::Connect => connect(reader, text),
        PacketKind::Connack => connack(reader, text),
        PacketKind::Subscribe => subscribe(reader, text),
        PacketKind::Unsubscribe => unsubscribe(reader, text),
        PacketKind::Suback => codes(reader, text, |code| {
            SubackReason::from_code(code).map(SubackReason::name)
        }),
        PacketKind::Unsuback if reader.v5 => codes(reader, text, |code| {
            UnsubackReason::from_code(code).map(UnsubackReason::name)
        }),
        PacketKind::Unsuback => {
            text.push(format!("id {}", reader.number()?));
            Some(())
        }
        PacketKind::Puback => ack(reader, text, |code| {
            PubackReason::from_code(code).map(PubackReason::name)
        }),
        PacketKind::Pubrec => ack(reader, text, |code| {
            PubrecReason::from_code(code).map(PubrecReason::name)
        }),
        PacketKind::Pubrel => ack(reader, text, |code| {
            PubrelReason::from_code(code).map(PubrelReason::name)
        }),
        PacketKind::Pubcomp => ack(reader, text, |code| {
            PubcompReason::from_code(code).map(PubcompReason::name)
        }),
        PacketKind::Disconnect => reason(reader, text, |code| {
            DisconnectReason::from_code(code).map(DisconnectReason::name)
        }),
        PacketKind::Auth => reason(reader, text, |code| AuthReason::from_code(code).map(AuthReason::name)),
        PacketKind::Publish | PacketKind::Pingreq | PacketKind::Pingresp => Some(()),
    }
}

fn connect(reader: &mut Reader<'_>, text: &mut Vec<String>) -> Option<()> {
    reader.text()?;
    let level = reader.byte()?;
    let flags = reader.byte()?;
    let keep_alive = reader.number()?;
    reader.v5 = level >= 5;
    reader.properties()?;
    let client_id = reader.text()?;
    let version = match level {
        3 => "3.1".to_owned(),
        4 => "3.1.1".to_owned(),
        5 => "5.0".to_owned(),
        other => format!("of level {other}"),
    };
    text.push(format!("{client_id} MQTT {version} keep alive {keep_alive}"));
    if flags & 0x02 != 0 {
        text.push("clean".to_owned());
    }
    if flags & 0x04 != 0 {
        reader.properties()?;
        text.push(format!("will {}", reader.text()?));
        let len = usize::from(reader.number()?);
        reader.skip(len)?;
    }
    if flags & 0x80 != 0 {
        text.push(format!("user {}", reader.text()?));
    }
    if flags & 0x40 != 0 {
        text.push("with password".to_owned());
    }
    Some(())
}

fn connack(reader: &mut Reader<'_>, text: &mut Vec<String>) -> Option<()> {
    let present = reader.byte()?;
    let code = reader.byte()?;
    let name = if reader.v5 {
        ConnackReason::from_code(code).map_or("unknown", ConnackReason::name)
    } else {
        return_code(code)
    };
    text.push(format!("0x{code:02x} {name}"));
    if present & 1 != 0 {
        text.push("session present".to_owned());
    }
    Some(())
}

/// The return codes of CONNACK in 3.x (table 3.1 in 3.1.1).
const fn return_code(code: u8) -> &'static str {
    match code {
        0 => "Connection Accepted",
        1 => "unacceptable protocol version",
        2 => "identifier rejected",
        3 => "server unavailable",
        4 => "bad user name or password",
        5 => "not authorized",
        _ => "unknown",
    }
}

fn subscribe(reader: &mut Reader<'_>, text: &mut Vec<String>) -> Option<()> {
    text.push(format!("id {}", reader.number()?));
    reader.properties()?;
    while !reader.is_at_end() {
        let filter = reader.text()?;
        text.push(format!("{filter} q{}", reader.byte()? & 3));
    }
    Some(())
}

fn unsubscribe(reader: &mut Reader<'_>, text: &mut Vec<String>) -> Option<()> {
    text.push(format!("id {}", reader.number()?));
    reader.properties()?;
    while !reader.is_at_end() {
        text.push(reader.text()?);
    }
    Some(())
}

fn codes(reader: &mut Reader<'_>, text: &mut Vec<String>, name: impl Fn(u8) -> Option<&'static str>) -> Option<()> {
    text.push(format!("id {}", reader.number()?));
    reader.properties()?;
    while let Some(code) = reader.byte() {
        text.push(format!("0x{code:02x} {}", name(code).unwrap_or("unknown")));
    }
    Some(())
}

fn ack(reader: &mut Reader<'_>, text: &mut Vec<String>, name: impl Fn(u8) -> Option<&'static str>) -> Option<()> {
    text.push(format!("id {}", reader.number()?));
    reason(reader, text, name)
}

/// A reason code that may be left out.
fn reason(reader: &mut Reader<'_>, text: &mut Vec<String>, name: impl Fn(u8) -> Option<&'static str>) -> Option<()> {
    if let Some(code) = reader.byte().filter(|code| *code != 0) {
        text.push(format!("0x{code:02x} {}", name(code).unwrap_or("unknown")));
    }
    Some(())
}
