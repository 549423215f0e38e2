use super::*;
use crate::Version::{V5, V31, V311};
use crate::tests::support::{accepted, packet, refused, section, text};
use crate::{Packet, Puback, PubackReason, PubcompReason, PubrecReason, Pubrel, PubrelReason};

const FIRST: [u8; 4] = [0x40, 0x50, 0x62, 0x70];

fn encoded(packet: &Packet, version: Version) -> Vec<u8> {
    let mut out = BytesMut::new();
    packet.encode(version, &mut out).expect("it fits");
    out.to_vec()
}

#[test]
fn what_says_nothing_is_left_out() {
    let id = PacketId::new(0x0102).expect("above 0");
    let plain = Packet::Puback(Puback::new(id, PubackReason::Success));
    let refusal = Packet::Puback(Puback::new(id, PubackReason::QuotaExceeded));
    let empty = Packet::Puback(Puback {
        properties: Some(Box::default()),
        ..Puback::new(id, PubackReason::Success)
    });
    let worded = Packet::Pubrel(Pubrel {
        properties: Some(Box::new(AckProperties {
            reason_string: Some("why".into()),
            ..AckProperties::default()
        })),
        ..Pubrel::new(id, PubrelReason::Success)
    });
    assert_eq!(encoded(&plain, V5), [0x40, 2, 1, 2]);
    assert_eq!(encoded(&empty, V5), [0x40, 2, 1, 2]);
    assert_eq!(encoded(&refusal, V5), [0x40, 3, 1, 2, 0x97]);
    assert_eq!(encoded(&worded, V5), b"\x62\x0A\x01\x02\0\x06\x1F\0\x03why");
    for version in [V31, V311] {
        assert_eq!(encoded(&refusal, version), [0x40, 2, 1, 2]);
        assert_eq!(encoded(&worded, version), [0x62, 2, 1, 2]);
    }
}

#[test]
fn the_long_way_of_saying_success_is_understood() {
    for (first, kind) in FIRST.into_iter().zip([
        PacketKind::Puback,
        PacketKind::Pubrec,
        PacketKind::Pubrel,
        PacketKind::Pubcomp,
    ]) {
        let mut short = BytesMut::new();
        encode_short(kind, PacketId::MIN, &mut short);
        let short = accepted(V5, &short);
        assert_eq!(short.kind(), kind);
        assert_eq!(accepted(V5, &packet(first, &[&[0, 1, 0]])), short);
        assert_eq!(accepted(V5, &packet(first, &[&[0, 1, 0, 0]])), short);
    }
}

/// [MQTT-3.4.2-1] in 5.0: a PUBACK has one of its own reason codes.
#[test]
fn v5_3_4_2_1_puback_refuses_other_reasons() {
    other_reasons(0x40, "MQTT-3.4.2-1", |code| PubackReason::from_code(code).is_some());
}

/// [MQTT-3.5.2-1] in 5.0: a PUBREC has one of its own reason codes.
#[test]
fn v5_3_5_2_1_pubrec_refuses_other_reasons() {
    other_reasons(0x50, "MQTT-3.5.2-1", |code| PubrecReason::from_code(code).is_some());
}

/// [MQTT-3.6.2-1] in 5.0: a PUBREL has one of its own reason codes.
#[test]
fn v5_3_6_2_1_pubrel_refuses_other_reasons() {
    other_reasons(0x62, "MQTT-3.6.2-1", |code| PubrelReason::from_code(code).is_some());
}

/// [MQTT-3.7.2-1] in 5.0: a PUBCOMP has one of its own reason codes.
#[test]
fn v5_3_7_2_1_pubcomp_refuses_other_reasons() {
    other_reasons(0x70, "MQTT-3.7.2-1", |code| PubcompReason::from_code(code).is_some());
}

#[track_caller]
fn other_reasons(first: u8, clause: &str, known: impl Fn(u8) -> bool) {
    for code in 0..=0xFF {
        let bytes = packet(first, &[&[0, 1, code]]);
        if known(code) {
            accepted(V5, &bytes);
        } else {
            refused(V5, &bytes, &format!("[{clause}] in 5.0"), 0x82);
        }
    }
}

#[test]
fn packet_id_0_is_a_protocol_error() {
    for first in FIRST {
        refused(V311, &packet(first, &[&[0, 0]]), "[MQTT-2.3.1-6] in 3.1.1", 0x82);
        refused(V5, &packet(first, &[&[0, 0]]), "[MQTT-2.2.1-5] in 5.0", 0x82);
        refused(V5, &packet(first, &[&[7]]), "section 2.1.4 in 5.0", 0x81);
    }
}

#[test]
fn an_acknowledgement_has_two_properties() {
    let sections = [
        "section 3.4.2.2",
        "section 3.5.2.2",
        "section 3.6.2.2",
        "section 3.7.2.2",
    ];
    for (first, place) in FIRST.into_iter().zip(sections) {
        let with = |properties: &[&[u8]]| packet(first, &[&[0, 1, 0], &section(properties)]);
        let reason = [&[0x1F][..], &text("why")].concat();
        accepted(V5, &with(&[&reason, &[0x26], &text("n"), &text("v")]));
        refused(V5, &with(&[&reason, &reason]), &format!("{place} in 5.0"), 0x82);
        refused(V5, &with(&[&[0x01, 1]]), "section 2.2.2.2 in 5.0", 0x81);
    }
}
