use bytes::BytesMut;

use super::*;
use crate::Packet;
use crate::Version::{V5, V31, V311};
use crate::tests::support::{accepted, packet, refused};

/// [MQTT-3.9.3-2] in 3.1.1, [MQTT-3.9.3-2] in 5.0: only answers that the version has.
#[test]
fn v5_3_9_3_2_unknown_answers_are_refused() {
    for code in 0..=0xFF {
        let old = packet(0x90, &[&[0, 1, code]]);
        if [0, 1, 2, 0x80].contains(&code) {
            accepted(V311, &old);
        } else {
            refused(V311, &old, "[MQTT-3.9.3-2] in 3.1.1", 0x82);
        }
        let new = packet(0x90, &[&[0, 1, 0, code]]);
        if SubackReason::from_code(code).is_some() {
            accepted(V5, &new);
        } else {
            refused(V5, &new, "[MQTT-3.9.3-2] in 5.0", 0x82);
        }
    }
}

/// [MQTT-3.9.3-2] in 3.1.1: whatever the reason of a failure, 3.x is sent 0x80.
#[test]
fn v311_3_9_3_2_every_failure_is_0x80() {
    let reasons = SubackReason::ALL.to_vec();
    let suback = Suback {
        packet_id: PacketId::MIN,
        properties: AckProperties::default(),
        reasons,
    };
    for version in [V31, V311] {
        let mut out = BytesMut::new();
        suback.encode(version, &mut out).expect("it fits");
        assert_eq!(out[4..7], [0, 1, 2]);
        assert!(out[7..].iter().all(|&code| code == 0x80));
    }
}

/// [MQTT-3.9.3-1] in 3.1.1, [MQTT-3.9.3-1] in 5.0: the answers keep their order on the wire.
#[test]
fn v5_3_9_3_1_answers_keep_their_order() {
    let Packet::Suback(suback) = accepted(V5, &packet(0x90, &[&[0, 1, 0, 2, 0x87, 0, 1]])) else {
        panic!("not a SUBACK");
    };
    let expected = [
        SubackReason::GrantedQoS2,
        SubackReason::NotAuthorized,
        SubackReason::GrantedQoS0,
        SubackReason::GrantedQoS1,
    ];
    assert_eq!(suback.reasons, expected);
}

#[test]
fn a_suback_answers_something() {
    refused(V311, &packet(0x90, &[&[0, 1]]), "section 3.9.3 in 3.1.1", 0x82);
    refused(V5, &packet(0x90, &[&[0, 1, 0]]), "section 3.9.3 in 5.0", 0x82);
    refused(V5, &packet(0x90, &[&[0, 0, 0, 0]]), "[MQTT-2.2.1-6] in 5.0", 0x82);
}
