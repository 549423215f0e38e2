use bytes::BytesMut;

use super::*;
use crate::Version::{V5, V31, V311};
use crate::tests::support::{accepted, packet, refused};

/// [MQTT-3.11.3-2] in 5.0: only answers that the standard lists.
#[test]
fn v5_3_11_3_2_unknown_answers_are_refused() {
    for code in 0..=0xFF {
        let bytes = packet(0xB0, &[&[0, 1, 0, code]]);
        if UnsubackReason::from_code(code).is_some() {
            accepted(V5, &bytes);
        } else {
            refused(V5, &bytes, "[MQTT-3.11.3-2] in 5.0", 0x82);
        }
    }
    refused(V5, &packet(0xB0, &[&[0, 1, 0]]), "section 3.11.3 in 5.0", 0x82);
}

#[test]
fn in_3x_it_has_an_identifier_and_nothing_else() {
    let unsuback = Unsuback {
        packet_id: PacketId::MIN,
        properties: AckProperties {
            reason_string: Some("why".into()),
            ..AckProperties::default()
        },
        reasons: vec![UnsubackReason::Success],
    };
    for version in [V31, V311] {
        let mut out = BytesMut::new();
        unsuback.encode(version, &mut out).expect("it fits");
        assert_eq!(out[..], [0xB0, 2, 0, 1]);
    }
    refused(V311, &packet(0xB0, &[&[0, 0]]), "[MQTT-2.3.1-7] in 3.1.1", 0x82);
}
