//! The socket: connects with a time limit, and turns what arrives into events.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use mqtt_codec::{Frame, Packet, Sender, Version, Violation, decode, frame};

use super::stream::Stream;
use crate::client::{Event, PATIENCE};
use crate::failure::plain;

/// Bytes asked of the socket at once.
const READ_BYTES: usize = 64 * 1024;

/// How a TLS server begins its answer to what is no TLS: RFC 8446, section 5.1.
const TLS_ALERT: [u8; 2] = [21, 3];

/// Connects to the first address of `host` that answers.
pub(super) fn connect(host: &str, port: u16, patience: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_write_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Starts the thread that reads `stream` until it ends; [`Event::Closed`] is the last that it sends.
pub(super) fn read(
    stream: &Stream,
    version: Version,
    packet_size_max: u32,
    events: SyncSender<Event>,
) -> io::Result<()> {
    let mut stream = stream.another()?;
    let reader = move || {
        let why = read_packets(&mut stream, version, packet_size_max, &events);
        // Nobody is left to hear it when the command has ended.
        let _ = events.send(Event::Closed(why));
    };
    thread::Builder::new().name("reader".to_owned()).spawn(reader).map(drop)
}

/// Returns why the connection ended, None for a plain close.
fn read_packets(
    stream: &mut Stream,
    version: Version,
    packet_size_max: u32,
    events: &SyncSender<Event>,
) -> Option<String> {
    let mut buffer = BytesMut::new();
    let mut chunk = vec![0; READ_BYTES];
    loop {
        let is_open = match stream.read(&mut chunk, &mut buffer) {
            Ok(is_open) => is_open,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Some(plain(&error)),
        };
        // No packet of a broker begins like this.
        if buffer.starts_with(&TLS_ALERT) {
            return Some("it speaks TLS; add --tls or --cafile".to_owned());
        }
        loop {
            match take(&mut buffer, version, packet_size_max) {
                Ok(Some(packet)) => events.send(Event::Received(packet)).ok()?,
                Ok(None) => break,
                Err(violation) => return Some(format!("the broker broke the protocol: {violation}")),
            }
        }
        if !is_open {
            return None;
        }
    }
}

/// Takes one whole packet off the front of `buffer`.
fn take(buffer: &mut BytesMut, version: Version, packet_size_max: u32) -> Result<Option<Packet>, Violation> {
    if !buffer.has_remaining() {
        return Ok(None);
    }
    match frame(buffer, packet_size_max)? {
        Frame::Whole { len } => {
            let packet = decode(&mut buffer.split_to(len).freeze(), version, packet_size_max)?;
            packet
                .as_ref()
                .map_or(Ok(()), |packet| packet.check_sender(Sender::Server, version))?;
            Ok(packet)
        }
        Frame::Partial { .. } => Ok(None),
    }
}
