//! `strowger store dump`: everything that a store holds, as lines of JSON.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use mqtt_codec::{PublishProperties, Will};
use serde::Serialize;
use storage::record::Entry;
use storage::{Addressee, EntryState, Inspection, Item, MessageRecord, StoreError};

use super::{Directory, hex};
use crate::failure::Failure;

/// Write everything that a store holds, one JSON object a line.
///
/// A line has a "type": session, subscription, transfer (a message on its way between lines, with its receivers), entry
/// (a delivery with its message), released, received, retained, will, ended or damaged; the last line has the type count
/// and says how many there were of each. A payload is "payload" if it is UTF-8 and "payload_base64" if not. The broker has to be stopped; nothing is changed, except that opening the engine
/// lets the engine put its own files in order.
///
/// Exit codes: 0 all was written, 65 some records are damaged, 69 in use by a broker.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    directory: Directory,
    /// JSON, which is the only form there is
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Session {
        session: u64,
        client_id: &'a str,
        username: Option<&'a str>,
        expiry_secs: u32,
        left_at_ms: Option<u64>,
        will: Option<WillLine<'a>>,
    },
    Subscription {
        session: u64,
        filter: &'a str,
        qos: u8,
        no_local: bool,
        retain_as_published: bool,
        subscription_id: Option<u32>,
    },
    Entry {
        session: u64,
        place: u64,
        state: &'static str,
        packet_id: Option<u16>,
        qos: u8,
        retain: bool,
        subscription_ids: Vec<u32>,
        group: Option<&'a str>,
        shared: Option<u64>,
        message: MessageLine<'a>,
    },
    Transfer {
        place: u64,
        receivers: Vec<Receiver>,
        group: Option<&'a str>,
        shared: Option<u64>,
        message: MessageLine<'a>,
    },
    Released {
        session: u64,
        place: u64,
        packet_id: u16,
    },
    Received {
        session: u64,
        packet_id: u16,
    },
    Retained {
        message: MessageLine<'a>,
    },
    Will {
        session: u64,
        client_id: &'a str,
        username: Option<&'a str>,
        will: WillLine<'a>,
    },
    Ended {
        session: u64,
    },
    Damaged {
        table: u8,
        key: String,
        what: String,
    },
    Count(Count),
}

#[derive(Default, Serialize)]
struct Count {
    sessions: u64,
    subscriptions: u64,
    transfers: u64,
    entries: u64,
    released: u64,
    received: u64,
    retained: u64,
    wills: u64,
    ended: u64,
    damaged: u64,
}

#[derive(Serialize)]
struct Receiver {
    session: u64,
    qos: u8,
    retain: bool,
    subscription_ids: Vec<u32>,
}

#[derive(Serialize)]
struct MessageLine<'a> {
    topic: &'a str,
    qos: u8,
    retain: bool,
    expires_at_ms: Option<u64>,
    #[serde(flatten)]
    payload: Payload<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<PropertiesLine<'a>>,
}

#[derive(Serialize)]
struct WillLine<'a> {
    topic: &'a str,
    qos: u8,
    retain: bool,
    delay_secs: u32,
    #[serde(flatten)]
    payload: Payload<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<PropertiesLine<'a>>,
}

#[derive(Serialize)]
enum Payload<'a> {
    #[serde(rename = "payload")]
    Text(&'a str),
    #[serde(rename = "payload_base64")]
    Bytes(String),
}

#[derive(Serialize)]
struct PropertiesLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_is_utf8: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_topic: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_data_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_expiry_secs: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    user_properties: Vec<(&'a str, &'a str)>,
}

pub(super) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let inspection = Inspection::open(&options.directory.path()?)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut count = Count::default();
    let mut failure = None;
    let dumped = inspection.visit(&mut |item| {
        count.add(&item);
        write(&mut out, &line(&item)).map_err(|error| {
            // The walk ends with an error of the store's; the one that counts is kept here.
            failure = Some(error);
            StoreError::Full {
                what: "standard output".to_owned(),
            }
        })
    });
    let damaged = count.damaged;
    let written = match (failure, dumped) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => return Err(error.into()),
        (None, Ok(())) => write(&mut out, &Line::Count(count)).and_then(|()| out.flush()),
    };
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::io("write to standard output")(error)),
        Ok(()) if damaged > 0 => Err(Failure::Unsound {
            directory: options.directory.path()?.display().to_string(),
            findings: damaged,
        }),
        Ok(()) | Err(_) => Ok(ExitCode::SUCCESS),
    }
}

fn write(out: &mut impl Write, line: &Line<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

impl Count {
    fn add(&mut self, item: &Item) {
        *match item {
            Item::Session { .. } => &mut self.sessions,
            Item::Subscription { .. } => &mut self.subscriptions,
            Item::Transfer { .. } => &mut self.transfers,
            Item::Entry { .. } => &mut self.entries,
            Item::Released { .. } => &mut self.released,
            Item::Received { .. } => &mut self.received,
            Item::Retained(_) => &mut self.retained,
            Item::Will { .. } => &mut self.wills,
            Item::Ended { .. } => &mut self.ended,
            Item::Damaged(_) => &mut self.damaged,
        } += 1;
    }
}

fn line(item: &Item) -> Line<'_> {
    match item {
        Item::Session { session, record } => Line::Session {
            session: session.0,
            client_id: &record.client_id,
            username: record.username.as_deref(),
            expiry_secs: record.expiry_secs,
            left_at_ms: record.left_at.map(|at| at.0),
            will: record.will.as_deref().map(WillLine::from),
        },
        Item::Subscription { session, record } => Line::Subscription {
            session: session.0,
            filter: &record.filter,
            qos: record.qos.into(),
            no_local: record.no_local,
            retain_as_published: record.retain_as_published,
            subscription_id: record.id.map(|id| id.get()),
        },
        Item::Entry {
            session,
            place,
            state,
            entry,
            message,
        } => entry_line((session.0, place.0), *state, entry, message),
        Item::Transfer {
            place,
            entry,
            message,
            receivers,
        } => Line::Transfer {
            place: place.0,
            receivers: receivers.iter().map(Receiver::from).collect(),
            group: entry.group.as_deref(),
            shared: entry.shared().map(|id| id.0),
            message: MessageLine::from(&**message),
        },
        Item::Released {
            session,
            place,
            packet_id,
        } => Line::Released {
            session: session.0,
            place: place.0,
            packet_id: packet_id.get(),
        },
        Item::Received { session, packet_id } => Line::Received {
            session: session.0,
            packet_id: packet_id.get(),
        },
        Item::Retained(message) => Line::Retained {
            message: MessageLine::from(&**message),
        },
        Item::Will { session, record } => Line::Will {
            session: session.0,
            client_id: &record.client_id,
            username: record.username.as_deref(),
            will: WillLine::from(&record.will),
        },
        Item::Ended { session } => Line::Ended { session: session.0 },
        Item::Damaged(fault) => Line::Damaged {
            table: fault.table.0,
            key: hex(&fault.key),
            what: fault.to_string(),
        },
    }
}

fn entry_line<'a>(
    (session, place): (u64, u64),
    state: EntryState,
    entry: &'a Entry,
    message: &'a MessageRecord,
) -> Line<'a> {
    let (state, packet_id) = match state {
        EntryState::Waits => ("waits", None),
        EntryState::Sent(packet_id) => ("sent", Some(packet_id.get())),
    };
    Line::Entry {
        session,
        place,
        state,
        packet_id,
        qos: entry.qos.into(),
        retain: entry.retain,
        subscription_ids: entry.ids.iter().map(|id| id.get()).collect(),
        group: entry.group.as_deref(),
        shared: entry.shared().map(|id| id.0),
        message: MessageLine::from(message),
    }
}

impl From<&Addressee> for Receiver {
    fn from(to: &Addressee) -> Self {
        Self {
            session: to.session.0,
            qos: to.qos.into(),
            retain: to.retain,
            subscription_ids: to.ids.iter().map(|id| id.get()).collect(),
        }
    }
}

impl<'a> From<&'a MessageRecord> for MessageLine<'a> {
    fn from(message: &'a MessageRecord) -> Self {
        Self {
            topic: &message.topic,
            qos: message.qos.into(),
            retain: message.retain,
            expires_at_ms: message.expires_at.map(|at| at.0),
            payload: Payload::from(&*message.payload),
            properties: message.properties.as_deref().map(PropertiesLine::from),
        }
    }
}

impl<'a> From<&'a Will> for WillLine<'a> {
    fn from(will: &'a Will) -> Self {
        Self {
            topic: &will.topic,
            qos: will.qos.into(),
            retain: will.retain,
            delay_secs: will.delay_secs,
            payload: Payload::from(&*will.payload),
            properties: will.properties.as_deref().map(PropertiesLine::from),
        }
    }
}

impl<'a> From<&'a [u8]> for Payload<'a> {
    fn from(payload: &'a [u8]) -> Self {
        std::str::from_utf8(payload).map_or_else(|_| Self::Bytes(STANDARD.encode(payload)), Self::Text)
    }
}

impl<'a> From<&'a PublishProperties> for PropertiesLine<'a> {
    fn from(properties: &'a PublishProperties) -> Self {
        let pairs = properties.user_properties.iter();
        Self {
            payload_is_utf8: properties.payload_format,
            content_type: properties.content_type.as_deref(),
            response_topic: properties.response_topic.as_deref(),
            correlation_data_base64: properties.correlation_data.as_deref().map(|data| STANDARD.encode(data)),
            message_expiry_secs: properties.message_expiry_secs,
            user_properties: pairs.map(|(name, value)| (&**name, &**value)).collect(),
        }
    }
}
