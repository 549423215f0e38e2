//! What the lines know of one client, put together and in words.

use super::ask::Found;
use super::{Kind, Record, pcapng, words};

/// What happened to a client, as far as it is remembered.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Whom it was asked for: a client identifier or an address.
    pub name: String,
    /// Whether a client of this identifier is connected.
    pub is_connected: bool,
    /// Why it is not connected, or since when it is, in one line.
    pub verdict: String,
    /// What happened, oldest first.
    pub entries: Vec<RecordingEntry>,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct RecordingEntry {
    /// Milliseconds since 1970.
    pub at_millis: u64,
    /// Under which identifier; empty: it gave none that could be read.
    pub client_id: String,
    /// Where the client came from; empty: from nowhere, it was not connected.
    pub peer: String,
    /// What happened.
    pub what: Happening,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A packet.
    Packet(Captured),
    /// A decision of the broker's.
    Decision {
        /// One of `connected`, `refused`, `disconnected`, `limit`, `dropped`, `denied`, `gap`.
        kind: &'static str,
        /// How often, since it was last recorded.
        times: u32,
        /// What and why.
        text: String,
        /// Of `disconnected`: who ended the connection: `client`, `network` or `broker`.
        by: Option<String>,
        /// Of `disconnected`: the reason code of 5.0.
        reason_code: Option<u8>,
    },
}

/// A packet as it was recorded.
#[derive(Clone, Debug)]
pub struct Captured {
    /// Whether it went to the client.
    pub is_out: bool,
    /// Whether it is of 5.0.
    pub is_v5: bool,
    /// Its name.
    pub packet: String,
    /// Its fields, in words.
    pub text: String,
    /// Its size in bytes.
    pub size: usize,
    /// Its first bytes, or all of them. Passwords are masked.
    pub bytes: Vec<u8>,
    /// Of a PUBLISH: where in `bytes` its payload begins.
    pub payload_at: Option<usize>,
}

impl Captured {
    /// Whether it was longer than what is kept of it.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.size > self.bytes.len()
    }

    /// What is kept of the payload of a PUBLISH.
    #[must_use]
    pub fn payload(&self) -> Option<&[u8]> {
        self.bytes.get(self.payload_at?..)
    }
}

impl RecordingEntry {
    /// One record of a client's, with where it comes from.
    pub(crate) fn of(record: Record, client_id: &str, peer: &mut String) -> Self {
        let what = if record.kind.is_packet() {
            Happening::Packet(captured(&record))
        } else {
            decision(&record, peer)
        };
        Self {
            at_millis: record.at.0,
            client_id: client_id.to_owned(),
            peer: peer.clone(),
            what,
        }
    }
}

fn captured(record: &Record) -> Captured {
    let size = record.number as usize;
    let described = words::describe(&record.data, size, record.kind.is_v5());
    Captured {
        is_out: record.kind.is_out(),
        is_v5: record.kind.is_v5(),
        packet: described.packet,
        text: described.text,
        size,
        bytes: record.data.clone(),
        payload_at: described.payload_at,
    }
}

fn decision(record: &Record, peer: &mut String) -> Happening {
    let text = String::from_utf8_lossy(&record.data).into_owned();
    let mut parts = text.split('\t');
    let first = parts.next().unwrap_or_default();
    let (mut by, mut reason_code) = (None, None);
    let (kind, text) = match record.kind {
        Kind::Connected => {
            first.clone_into(peer);
            let listener = parts.next().unwrap_or_default();
            let version = parts.next().unwrap_or_default();
            (
                "connected",
                format!("connection from {first} on listener {listener}, MQTT {version}"),
            )
        }
        Kind::Closed => {
            by = Some(first.to_owned());
            let cause = parts.next().unwrap_or_default().to_owned();
            let code = parts.next().and_then(|code| code.strip_prefix("0x"));
            reason_code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
            ("disconnected", cause)
        }
        Kind::Refused => ("refused", text.clone()),
        Kind::Limited => ("limit", text.clone()),
        Kind::Dropped => ("dropped", text.clone()),
        Kind::Denied => ("denied", text.clone()),
        Kind::Gap => ("gap", format!("{} packets more came at once", record.number)),
        Kind::In3 | Kind::In5 | Kind::Out3 | Kind::Out5 => ("packet", text.clone()),
    };
    Happening::Decision {
        kind,
        times: record.number,
        text,
        by,
        reason_code,
    }
}

impl Recording {
    /// Puts together what the lines have found.
    pub(crate) fn of(name: &str, found: Vec<Found>) -> Self {
        let is_connected = found.iter().any(|found| found.is_connected);
        let mut entries = Vec::new();
        for Found {
            client_id,
            peer,
            records,
            ..
        } in found
        {
            let mut peer = peer;
            let of_client = records.into_iter();
            entries.extend(of_client.map(|record| RecordingEntry::of(record, &client_id, &mut peer)));
        }
        entries.sort_by_key(|entry| entry.at_millis);
        Self {
            name: name.to_owned(),
            is_connected,
            verdict: verdict(name, is_connected, &entries),
            entries,
        }
    }

    /// The packets as a capture file of the format pcapng, for Wireshark: each stands in a made-up segment of TCP to port
    /// 1883, and decisions are comments.
    #[must_use]
    pub fn pcapng(&self) -> Vec<u8> {
        pcapng::write(&self.entries)
    }
}

/// The last line of the story.
fn verdict(name: &str, is_connected: bool, entries: &[RecordingEntry]) -> String {
    let last = |wanted: &[&str]| {
        entries.iter().rev().find_map(|entry| match &entry.what {
            Happening::Decision { kind, text, by, .. } if wanted.contains(kind) => Some((entry, *kind, text, by)),
            Happening::Decision { .. } | Happening::Packet(_) => None,
        })
    };
    if is_connected {
        let mut verdict = format!("{name} is connected");
        if let Some((entry, "refused", why, _)) = last(&["refused", "disconnected"]) {
            verdict = format!(
                "{verdict}; another connection under this name, from {}, was refused: {why}",
                entry.peer
            );
        }
        return verdict;
    }
    match last(&["refused", "disconnected"]) {
        Some((entry, "refused", why, _)) if entry.client_id == name => {
            format!(
                "{name} is not connected: its connection from {} was refused: {why}",
                entry.peer
            )
        }
        Some((entry, "refused", why, _)) => format!("the last connection from {} was refused: {why}", entry.peer),
        Some((_, _, why, by)) => match by.as_deref() {
            Some("client") if why == "client disconnected" => {
                format!("{name} is not connected: it disconnected by itself")
            }
            Some(by) => format!("{name} is not connected: {why} (ended by the {by})"),
            None => format!("{name} is not connected: {why}"),
        },
        None => format!(
            "nothing is known of {name}: it was not here since the broker started, or it is forgotten \
             (recorder.gone_clients_max, recorder.bytes_max)"
        ),
    }
}
