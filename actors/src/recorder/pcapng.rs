//! A recording as a file that Wireshark reads: pcapng (draft-ietf-opsawg-pcapng), packets of IP without a link layer.
//!
//! Each packet of MQTT stands in one segment of TCP between the client's address and port 1883, with sequence numbers that
//! follow its true size, so that what was cut shows as captured in part and nothing as lost. Decisions are comments of the
//! packet before them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Captured, Happening, RecordingEntry};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const LINKTYPE_RAW: u16 = 101;
const OPTION_COMMENT: u16 = 1;
const OPTION_FLAGS: u16 = 2;
const OPTION_NAME: u16 = 2;
const OPTION_RESOLUTION: u16 = 9;
const OPTION_APPLICATION: u16 = 4;
const MILLISECONDS: u8 = 3;
const MQTT_PORT: u16 = 1883;
const TCP_HEADER: usize = 20;
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
const TCP: u8 = 6;
const PUSH_ACK: u8 = 0x18;
const WINDOW: u16 = 0xffff;
/// Longest comment that an option can hold.
const COMMENT_BYTES_MAX: usize = 65_000;

/// One connection as it goes on.
struct Flow {
    client: SocketAddr,
    server: IpAddr,
    /// The next sequence numbers: of the client, of the broker.
    sent: u32,
    answered: u32,
}

impl Flow {
    /// A connection from an address; one without gets one of those for documentation, with a port of its own.
    fn new(peer: &str, number: usize) -> Self {
        let made_up = SocketAddr::from(([192, 0, 2, 1], 10_000 + (number % 50_000) as u16));
        let client = peer.parse().unwrap_or(made_up);
        let server = match client.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2)),
        };
        Self {
            client,
            server,
            sent: 1,
            answered: 1,
        }
    }

    /// The segment's headers, and the bytes that it would have in full.
    fn segment(&mut self, packet: &Captured) -> (Vec<u8>, usize) {
        let client = (self.client.ip(), self.client.port());
        let server = (self.server, MQTT_PORT);
        let (from, to) = if packet.is_out {
            (server, client)
        } else {
            (client, server)
        };
        let (sequence, acknowledged) = if packet.is_out {
            (self.answered, self.sent)
        } else {
            (self.sent, self.answered)
        };
        let size = packet.size as u32;
        if packet.is_out {
            self.answered = self.answered.wrapping_add(size);
        } else {
            self.sent = self.sent.wrapping_add(size);
        }
        let mut bytes = ip_header(from.0, to.0, packet.size);
        bytes.extend_from_slice(&from.1.to_be_bytes());
        bytes.extend_from_slice(&to.1.to_be_bytes());
        bytes.extend_from_slice(&sequence.to_be_bytes());
        bytes.extend_from_slice(&acknowledged.to_be_bytes());
        bytes.extend_from_slice(&[(TCP_HEADER as u8 / 4) << 4, PUSH_ACK]);
        bytes.extend_from_slice(&WINDOW.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        let full = bytes.len() + packet.size;
        bytes.extend_from_slice(&packet.bytes);
        (bytes, full)
    }
}

/// A header of IP. A packet that is too large for one says 0, as one does that a network card cuts up.
fn ip_header(from: IpAddr, to: IpAddr, size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(IPV6_HEADER + TCP_HEADER);
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let total = u16::try_from(IPV4_HEADER + TCP_HEADER + size).unwrap_or(0);
            bytes.extend_from_slice(&[0x45, 0]);
            bytes.extend_from_slice(&total.to_be_bytes());
            bytes.extend_from_slice(&[0, 0, 0x40, 0, 64, TCP, 0, 0]);
            bytes.extend_from_slice(&from.octets());
            bytes.extend_from_slice(&to.octets());
            let sum = checksum(&bytes);
            if let Some(place) = bytes.get_mut(10..12) {
                place.copy_from_slice(&sum.to_be_bytes());
            }
        }
        (from, to) => {
            let payload = u16::try_from(TCP_HEADER + size).unwrap_or(0);
            bytes.extend_from_slice(&[0x60, 0, 0, 0]);
            bytes.extend_from_slice(&payload.to_be_bytes());
            bytes.extend_from_slice(&[TCP, 64]);
            bytes.extend_from_slice(&wide(from));
            bytes.extend_from_slice(&wide(to));
        }
    }
    bytes
}

fn wide(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// The internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| match *pair {
        [high, low] => u32::from(high) << 8 | u32::from(low),
        [high] => u32::from(high) << 8,
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The file.
pub(super) fn write(entries: &[RecordingEntry]) -> Vec<u8> {
    let mut file = Vec::new();
    section_header(&mut file);
    interface(&mut file);
    let mut flows: Vec<((String, String), Flow)> = Vec::new();
    let mut entries = entries.iter().peekable();
    let mut opening = Vec::new();
    while let Some(entry) = entries.next() {
        let packet = match &entry.what {
            Happening::Decision { kind, text, .. } => {
                if *kind == "connected" {
                    let number = flows.len();
                    flows.retain(|(key, _)| *key != key_of(entry));
                    flows.push((key_of(entry), Flow::new(&entry.peer, number)));
                }
                opening.push(format!("{kind}: {text}"));
                continue;
            }
            Happening::Packet(packet) => packet,
        };
        if !flows.iter().any(|(key, _)| *key == key_of(entry)) {
            let number = flows.len();
            flows.push((key_of(entry), Flow::new(&entry.peer, number)));
        }
        let Some((_, flow)) = flows.iter_mut().find(|(key, _)| *key == key_of(entry)) else {
            continue;
        };
        let mut comments = std::mem::take(&mut opening);
        while let Some(next) = entries.next_if(|next| is_remark(next)) {
            if let Happening::Decision { kind, text, .. } = &next.what {
                comments.push(format!("{kind}: {text}"));
            }
        }
        let (bytes, full) = flow.segment(packet);
        let direction = if packet.is_out { 2 } else { 1 };
        enhanced_packet(&mut file, (entry.at_millis, direction), &bytes, full, &comments);
    }
    file
}

/// Whether it belongs to the packet before it.
fn is_remark(entry: &RecordingEntry) -> bool {
    matches!(&entry.what, Happening::Decision { kind, .. } if *kind != "connected")
}

/// Connections of two clients may come from one address, one after the other.
fn key_of(entry: &RecordingEntry) -> (String, String) {
    (entry.client_id.clone(), entry.peer.clone())
}

fn section_header(file: &mut Vec<u8>) {
    let mut body = Vec::new();
    body.extend_from_slice(&0x1a2b_3c4d_u32.to_le_bytes());
    body.extend_from_slice(&1_u16.to_le_bytes());
    body.extend_from_slice(&0_u16.to_le_bytes());
    body.extend_from_slice(&u64::MAX.to_le_bytes());
    option(&mut body, OPTION_APPLICATION, b"strowger flight recorder");
    end_of_options(&mut body);
    block(file, SECTION_HEADER, &body);
}

fn interface(file: &mut Vec<u8>) {
    let mut body = Vec::new();
    body.extend_from_slice(&LINKTYPE_RAW.to_le_bytes());
    body.extend_from_slice(&[0; 2]);
    // No limit of its own: what was cut says so itself.
    body.extend_from_slice(&[0; 4]);
    option(&mut body, OPTION_NAME, b"strowger");
    option(&mut body, OPTION_RESOLUTION, &[MILLISECONDS]);
    end_of_options(&mut body);
    block(file, INTERFACE, &body);
}

fn enhanced_packet(
    file: &mut Vec<u8>,
    (at_millis, direction): (u64, u32),
    bytes: &[u8],
    full: usize,
    comments: &[String],
) {
    let mut body = Vec::with_capacity(bytes.len() + 64);
    body.extend_from_slice(&[0; 4]);
    body.extend_from_slice(&((at_millis >> 32) as u32).to_le_bytes());
    body.extend_from_slice(&(at_millis as u32).to_le_bytes());
    body.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    body.extend_from_slice(&(full as u32).to_le_bytes());
    body.extend_from_slice(bytes);
    pad(&mut body);
    for comment in comments {
        let comment = comment.as_bytes();
        option(
            &mut body,
            OPTION_COMMENT,
            comment.get(..COMMENT_BYTES_MAX).unwrap_or(comment),
        );
    }
    option(&mut body, OPTION_FLAGS, &direction.to_le_bytes());
    end_of_options(&mut body);
    block(file, ENHANCED_PACKET, &body);
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend_from_slice(&code.to_le_bytes());
    body.extend_from_slice(&(value.len() as u16).to_le_bytes());
    body.extend_from_slice(value);
    pad(body);
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend_from_slice(&[0; 4]);
}

/// Everything stands at multiples of four bytes.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

fn block(file: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let length = (body.len() + 12) as u32;
    file.extend_from_slice(&kind.to_le_bytes());
    file.extend_from_slice(&length.to_le_bytes());
    file.extend_from_slice(body);
    file.extend_from_slice(&length.to_le_bytes());
}
