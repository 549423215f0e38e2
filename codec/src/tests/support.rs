//! Bytes of packets, and what the decoder has to say to them.

use bytes::Bytes;

use crate::Version::{V5, V31, V311};
use crate::{Connect, Packet, Version, Violation, decode, decode_connect};

pub(crate) const ANY_SIZE: u32 = u32::MAX;

/// A packet with its length in front of `body`.
pub(crate) fn packet(first: u8, body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    let mut bytes = vec![first];
    crate::varint::write(body.len(), |byte| bytes.push(byte));
    bytes.extend_from_slice(&body);
    bytes
}

/// Text behind its length.
pub(crate) fn text(text: &str) -> Vec<u8> {
    let mut bytes = u16::try_from(text.len()).expect("short text").to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// Properties behind their length.
pub(crate) fn section(properties: &[&[u8]]) -> Vec<u8> {
    let properties = properties.concat();
    let mut bytes = Vec::new();
    crate::varint::write(properties.len(), |byte| bytes.push(byte));
    bytes.extend_from_slice(&properties);
    bytes
}

/// The one packet that `bytes` hold.
#[track_caller]
pub(crate) fn accepted(version: Version, bytes: &[u8]) -> Packet {
    let mut stream = Bytes::copy_from_slice(bytes);
    let packet = decode(&mut stream, version, ANY_SIZE)
        .expect("a good packet")
        .expect("a whole packet");
    assert!(stream.is_empty(), "bytes left in the stream");
    packet
}

#[track_caller]
pub(crate) fn violation(version: Version, bytes: &[u8]) -> Violation {
    match decode(&mut Bytes::copy_from_slice(bytes), version, ANY_SIZE) {
        Err(violation) => violation,
        Ok(packet) => panic!("{bytes:02x?} passed in {version} as {packet:?}"),
    }
}

/// Checks that `bytes` break `clause`, and that a DISCONNECT would say `code`.
#[track_caller]
pub(crate) fn refused(version: Version, bytes: &[u8], clause: &str, code: u8) {
    let violation = violation(version, bytes);
    assert_eq!(violation.clause().to_string(), clause, "{violation}");
    assert_eq!(violation.reason().code(), code, "{violation}");
}

/// As `refused`, in all versions; 3.1 is judged by the clauses of 3.1.1.
#[track_caller]
pub(crate) fn refused_in_all(bytes: &[u8], clause_311: &str, clause_5: &str, code: u8) {
    for version in [V31, V311] {
        refused(version, bytes, &format!("[{clause_311}] in 3.1.1"), code);
    }
    refused(V5, bytes, &format!("[{clause_5}] in 5.0"), code);
}

#[track_caller]
pub(crate) fn connected(bytes: &[u8]) -> Connect {
    let mut stream = Bytes::copy_from_slice(bytes);
    decode_connect(&mut stream, ANY_SIZE)
        .expect("a good CONNECT")
        .expect("a whole CONNECT")
}

/// Checks that a CONNECT breaks `clause`, and that a CONNACK would say `code`.
#[track_caller]
pub(crate) fn connect_refused(bytes: &[u8], clause: &str, code: u8) {
    match decode_connect(&mut Bytes::copy_from_slice(bytes), ANY_SIZE) {
        Err(violation) => {
            assert_eq!(violation.clause().to_string(), clause, "{violation}");
            assert_eq!(violation.connack_reason().code(), code, "{violation}");
        }
        Ok(connect) => panic!("{bytes:02x?} passed as {connect:?}"),
    }
}
