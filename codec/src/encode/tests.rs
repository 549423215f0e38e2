use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use super::*;
use crate::{ClientId, Connect, Packet, Publish, PublishProperties, QoS, TopicName};

fn publish() -> Publish {
    Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: TopicName::new("t").expect("good"),
        packet_id: None,
        properties: None,
        payload: Bytes::new(),
    }
}

#[test]
fn a_string_too_long_leaves_the_buffer_as_it_was() {
    let mut out = BytesMut::from(&b"kept"[..]);
    let content_type = Some(ByteString::from("x".repeat(TEXT_BYTES_MAX + 1)));
    let properties = PublishProperties {
        content_type,
        ..PublishProperties::default()
    };
    let packet = Publish {
        properties: Some(Box::new(properties)),
        ..publish()
    };
    assert_eq!(packet.encode(Version::V5, &mut out), Err(EncodeError::TextTooLong));
    assert_eq!(
        packet.encode(Version::V311, &mut out),
        Ok(()),
        "3.1.1 does not write it"
    );

    let mut out = BytesMut::from(&b"kept"[..]);
    let mut connect = Connect::new(Version::V311, ClientId::new("c").expect("good"));
    connect.username = Some("u".into());
    connect.password = Some(Bytes::from(vec![0; TEXT_BYTES_MAX + 1]));
    assert_eq!(connect.encode(&mut out), Err(EncodeError::TextTooLong));
    assert_eq!(out, "kept");
}

#[test]
fn a_packet_too_large_leaves_the_buffer_as_it_was() {
    let mut out = BytesMut::new();
    let packet = Publish {
        payload: Bytes::from(vec![0; REMAINING_LENGTH_MAX as usize]),
        ..publish()
    };
    assert_eq!(packet.encode(Version::V311, &mut out), Err(EncodeError::PacketTooLarge));
    assert!(out.is_empty());
}

#[test]
fn the_longest_string_fits() {
    let mut out = BytesMut::new();
    let topic = TopicName::new("t".repeat(TEXT_BYTES_MAX)).expect("good");
    let packet = Packet::Publish(Publish { topic, ..publish() });
    packet.encode(Version::V311, &mut out).expect("it fits");
    assert_eq!(out.len(), packet.encoded_len(Version::V311));
}

#[test]
fn client_ids_are_checked_like_strings_of_the_wire() {
    assert!(ClientId::new("").is_ok());
    assert!(ClientId::new("a\0").is_err());
    assert!(ClientId::new("x".repeat(TEXT_BYTES_MAX + 1)).is_err());
    assert_eq!(ClientId::new("c").expect("good").detach().into_inner(), "c");
}
