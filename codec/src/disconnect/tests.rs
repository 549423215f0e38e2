use bytes::BytesMut;

use super::*;
use crate::Packet;
use crate::Version::{V5, V311};
use crate::tests::support::{accepted, packet, refused, refused_in_all, section};

fn encoded(disconnect: &Disconnect, version: Version) -> Vec<u8> {
    let mut out = BytesMut::new();
    disconnect.encode(version, &mut out).expect("it fits");
    out.to_vec()
}

#[test]
fn what_says_nothing_is_left_out() {
    let normal = Disconnect::new(DisconnectReason::NormalDisconnection);
    let busy = Disconnect::new(DisconnectReason::ServerBusy);
    assert_eq!(encoded(&normal, V5), [0xE0, 0]);
    assert_eq!(encoded(&busy, V5), [0xE0, 1, 0x89]);
    assert_eq!(encoded(&busy, V311), [0xE0, 0]);
    assert_eq!(accepted(V5, &[0xE0, 2, 0, 0]), Packet::Disconnect(normal));
}

/// [MQTT-3.14.1-1] in 3.1.1, [MQTT-3.14.1-1] in 5.0: the flags are 0.
#[test]
fn v5_3_14_1_1_reserved_flags_are_malformed() {
    for flags in 1..16 {
        refused_in_all(&[0xE0 | flags, 0], "MQTT-3.14.1-1", "MQTT-3.14.1-1", 0x81);
    }
}

/// [MQTT-3.14.2-1] in 5.0: only reasons that the standard lists for DISCONNECT.
#[test]
fn v5_3_14_2_1_unknown_reasons_are_refused() {
    for code in 0..=0xFF {
        if DisconnectReason::from_code(code).is_some() {
            accepted(V5, &[0xE0, 1, code]);
        } else {
            refused(V5, &[0xE0, 1, code], "[MQTT-3.14.2-1] in 5.0", 0x82);
        }
    }
}

#[test]
fn no_property_but_the_users_comes_twice() {
    let all: [&[u8]; 3] = [&[0x11, 0, 0, 0, 1], &[0x1F, 0, 0], &[0x1C, 0, 0]];
    for property in all {
        let twice = packet(0xE0, &[&[0], &section(&[property, property])]);
        refused(V5, &twice, "section 3.14.2.2 in 5.0", 0x82);
    }
    accepted(V5, &packet(0xE0, &[&[0], &section(&all)]));
    refused(
        V5,
        &packet(0xE0, &[&[0], &section(&[&[0x21, 0, 1]])]),
        "section 2.2.2.2 in 5.0",
        0x81,
    );
}
