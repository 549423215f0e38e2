//! A small blocking MQTT client, for `strowger pub` and `strowger sub`.
//!
//! One thread reads the socket, others may feed messages or watch for signals; all of them speak through one bounded
//! channel of [`Event`]s. The command's own thread takes them with [`Client::next`], which also keeps the connection
//! alive, and is the only one that writes. Every wait has an end.

mod clock;
mod feed;
mod inbound;
mod interrupt;
mod outbound;
mod socket;
mod stream;
pub(crate) mod tls;
mod trace;

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use mqtt_codec::{Connack, Connect, Disconnect, Packet, PacketKind, Version};

use strowger_client::load::Security;

use crate::failure::{Failure, plain};
use stream::Stream;

pub(crate) use clock::now;
pub(crate) use feed::Feed;
pub(crate) use inbound::Inbound;
pub(crate) use interrupt::watch as watch_signals;
pub(crate) use outbound::{Outbound, Outcome};
pub(crate) use trace::Trace;

/// How long the broker may take to accept the connection, to answer CONNECT, and to acknowledge.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long the broker may take to close after our DISCONNECT before we go anyway.
const PARTING: Duration = Duration::from_secs(2);

/// Events that wait for the command's thread; whoever sends more waits.
const EVENTS_MAX: usize = 64;

/// Something that the command's thread has to look at.
#[derive(Debug)]
pub(crate) enum Event {
    /// The broker sent a packet.
    Received(Packet),
    /// The connection has ended; the reason if it was not a plain close.
    Closed(Option<String>),
    /// The feed answers a request: the next payload, or None if there are no more.
    Fed(Option<io::Result<Bytes>>),
    /// The user wants to end (SIGINT, SIGTERM).
    Interrupted,
}

/// Where and how to connect.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) security: Option<Security>,
    pub(crate) connect: Connect,
    pub(crate) trace: Trace,
}

/// A connection to a broker that accepted it.
#[derive(Debug)]
pub(crate) struct Client {
    stream: Stream,
    sender: SyncSender<Event>,
    events: Receiver<Event>,
    address: String,
    version: Version,
    /// None if the connection may stay silent for ever.
    keep_alive: Option<Duration>,
    last_sent: Instant,
    /// When the PINGREQ went out that is not answered yet.
    pinged: Option<Instant>,
    trace: Trace,
}

impl Client {
    /// Connects and waits for the broker's answer.
    pub(crate) fn open(opening: Opening) -> Result<(Self, Connack), Failure> {
        let Opening {
            host,
            port,
            security,
            connect,
            trace,
        } = opening;
        let address = if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        let version = connect.version;
        let socket = socket::connect(&host, port, PATIENCE).map_err(|source| Failure::Unreachable {
            address: address.clone(),
            source,
        })?;
        let stream = Stream::over(socket, security.as_ref(), PATIENCE).map_err(|source| Failure::NoTls {
            address: address.clone(),
            source,
        })?;
        let (sender, events) = mpsc::sync_channel(EVENTS_MAX);
        let packet_size_max = connect.properties.packet_size_max.map_or(u32::MAX, u32::from);
        socket::read(&stream, version, packet_size_max, sender.clone()).map_err(Failure::io("start a thread"))?;
        let mut client = Self {
            stream,
            sender,
            events,
            address,
            version,
            keep_alive: None,
            last_sent: now(),
            pinged: None,
            trace,
        };
        let keep_alive_secs = connect.keep_alive_secs;
        client.send(&Packet::Connect(Box::new(connect)))?;
        let connack = client.greeting()?;
        let keep_alive_secs = connack.properties.server_keep_alive_secs.unwrap_or(keep_alive_secs);
        client.keep_alive = (keep_alive_secs > 0).then(|| Duration::from_secs(keep_alive_secs.into()));
        Ok((client, connack))
    }

    /// Writes one packet.
    pub(crate) fn send(&mut self, packet: &Packet) -> Result<(), Failure> {
        let mut bytes = BytesMut::new();
        packet
            .encode(self.version, &mut bytes)
            .map_err(|error| Failure::Usage(format!("{} cannot be sent: {error}", packet.kind())))?;
        self.trace.sent(packet);
        self.last_sent = now();
        match self.stream.write_all(&bytes) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.post_mortem(&error)),
        }
    }

    /// Waits for the next event, until `until` if that is given; None when that time has come.
    ///
    /// Keeps the connection alive meanwhile. That it ends, or that the broker says goodbye, is a failure.
    pub(crate) fn next(&mut self, until: Option<Instant>) -> Result<Option<Event>, Failure> {
        loop {
            self.keep_alive()?;
            let wake = [until, self.next_ping()].into_iter().flatten().min();
            let received = match wake {
                Some(wake) => self.events.recv_timeout(wake.saturating_duration_since(now())),
                None => self.events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match received {
                Ok(Event::Received(packet)) => {
                    self.trace.received(&packet);
                    if let Packet::Disconnect(goodbye) = &packet {
                        return Err(dismissal(goodbye));
                    }
                    if packet != Packet::Pingresp {
                        return Ok(Some(Event::Received(packet)));
                    }
                    self.pinged = None;
                }
                Ok(Event::Closed(why)) => {
                    return Err(self.lost(why.unwrap_or_else(|| "the broker closed it".to_owned())));
                }
                Ok(event) => return Ok(Some(event)),
                Err(RecvTimeoutError::Timeout) if until.is_some_and(|until| until <= now()) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(self.lost("its reader has ended")),
            }
        }
    }

    /// Says goodbye, and gives the broker time to read what was sent before.
    pub(crate) fn close(mut self, goodbye: Disconnect) -> Result<(), Failure> {
        self.send(&Packet::Disconnect(goodbye))?;
        self.stream.finish();
        let until = now() + PARTING;
        // To close with unread bytes would reset the connection and might take our last packets with it.
        while let Ok(event) = self.events.recv_timeout(until.saturating_duration_since(now())) {
            if matches!(event, Event::Closed(_)) {
                break;
            }
        }
        Ok(())
    }

    /// Where other threads send their events.
    pub(crate) fn sender(&self) -> SyncSender<Event> {
        self.sender.clone()
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// The failure of a connection that is of no more use.
    pub(crate) fn lost(&self, why: impl Into<String>) -> Failure {
        Failure::Lost {
            address: self.address.clone(),
            why: why.into(),
        }
    }

    fn greeting(&mut self) -> Result<Connack, Failure> {
        match self.next(Some(now() + PATIENCE))? {
            Some(Event::Received(Packet::Connack(connack))) if connack.reason.is_error() => Err(Failure::Refused {
                what: explain(
                    "the broker refused the connection",
                    connack.properties.reason_string.as_deref(),
                ),
                reason: connack.reason.name(),
                code: match self.version {
                    Version::V5 => connack.reason.code(),
                    Version::V31 | Version::V311 => connack.reason.v3_code().unwrap_or(connack.reason.code()),
                },
            }),
            Some(Event::Received(Packet::Connack(connack))) => Ok(*connack),
            Some(Event::Received(packet)) => Err(self.lost(format!(
                "it answers CONNECT with {}: is that an MQTT broker?",
                packet.kind()
            ))),
            _ => Err(self.lost(format!("no answer to CONNECT within {} s", PATIENCE.as_secs()))),
        }
    }

    fn next_ping(&self) -> Option<Instant> {
        let keep_alive = self.keep_alive?;
        Some(
            self.pinged
                .map_or(self.last_sent + keep_alive, |pinged| pinged + PATIENCE),
        )
    }

    fn keep_alive(&mut self) -> Result<(), Failure> {
        if self.next_ping().is_none_or(|due| due > now()) {
            return Ok(());
        }
        if self.pinged.is_some() {
            return Err(self.lost(format!("no {} within {} s", PacketKind::Pingresp, PATIENCE.as_secs())));
        }
        self.pinged = Some(now());
        self.send(&Packet::Pingreq)
    }

    /// Why writing failed: the broker may have said it before it closed.
    fn post_mortem(&self, error: &io::Error) -> Failure {
        let until = now() + PARTING;
        while let Ok(event) = self.events.recv_timeout(until.saturating_duration_since(now())) {
            match event {
                Event::Received(Packet::Disconnect(goodbye)) => return dismissal(&goodbye),
                Event::Closed(_) => break,
                Event::Received(_) | Event::Fed(_) | Event::Interrupted => {}
            }
        }
        self.lost(plain(error))
    }
}

fn dismissal(goodbye: &Disconnect) -> Failure {
    Failure::Refused {
        what: explain("the broker ended the connection", goodbye.reason_string.as_deref()),
        reason: goodbye.reason.name(),
        code: goodbye.reason.code(),
    }
}

/// Adds the broker's own words, if it sent any.
fn explain(what: &str, words: Option<&str>) -> String {
    match words {
        Some(words) => format!("{what} (\"{}\")", words.escape_default()),
        None => what.to_owned(),
    }
}
