use super::*;
use crate::Packet;
use crate::Version::{V5, V31, V311};
use crate::tests::support::{accepted, packet, refused, refused_in_all, section};

fn encoded(connack: &Connack, version: Version) -> Result<Vec<u8>, EncodeError> {
    let mut out = BytesMut::new();
    connack.encode(version, &mut out).map(|()| out.to_vec())
}

fn success(properties: ConnackProperties) -> Connack {
    Connack {
        session_present: true,
        reason: ConnackReason::Success,
        properties,
    }
}

/// [MQTT-3.2.2-1] in 5.0: the reserved acknowledge flags are 0. 3.1 calls the whole byte unused.
#[test]
fn v5_3_2_2_1_reserved_acknowledge_flags_are_malformed() {
    refused(V5, &packet(0x20, &[&[2, 0, 0]]), "[MQTT-3.2.2-1] in 5.0", 0x81);
    refused(V311, &packet(0x20, &[&[0x80, 0]]), "section 3.2.2.1 in 3.1.1", 0x81);
    assert_eq!(accepted(V31, &[0x20, 2, 0xFF, 0]), accepted(V31, &[0x20, 2, 0, 0]));
}

/// [MQTT-3.2.2-4] in 3.1.1, [MQTT-3.2.2-6] in 5.0: a refusal has no session.
#[test]
fn v5_3_2_2_6_session_present_in_a_refusal_is_a_protocol_error() {
    refused(V311, &[0x20, 2, 1, 5], "[MQTT-3.2.2-4] in 3.1.1", 0x82);
    refused(V5, &[0x20, 3, 1, 0x87, 0], "[MQTT-3.2.2-6] in 5.0", 0x82);
}

/// [MQTT-3.2.2-8] in 5.0: only reasons that the standard lists for CONNACK.
#[test]
fn v5_3_2_2_8_unknown_reason_codes_are_refused() {
    for code in (0..=0xFF).filter(|&code| ConnackReason::from_code(code).is_none()) {
        refused(V5, &[0x20, 3, 0, code, 0], "[MQTT-3.2.2-8] in 5.0", 0x82);
    }
    for code in 6..=0xFF {
        refused(V311, &[0x20, 2, 0, code], "section 3.2.2.3 in 3.1.1", 0x82);
    }
}

/// [MQTT-3.2.2-6] in 3.1.1: a refusal without a return code has no CONNACK at all.
#[test]
fn v311_3_2_2_6_a_reason_without_return_code_cannot_be_sent() {
    for &reason in ConnackReason::ALL {
        let sent = encoded(&Connack::refuse(reason), V311);
        match reason.v3_code() {
            Some(code) => assert_eq!(sent, Ok(vec![0x20, 2, 0, code])),
            None => assert_eq!(sent, Err(EncodeError::NoReturnCode)),
        }
    }
}

#[test]
fn v31_has_no_session_present() {
    assert_eq!(
        encoded(&success(ConnackProperties::default()), V31),
        Ok(vec![0x20, 2, 0, 0])
    );
    assert_eq!(
        encoded(&success(ConnackProperties::default()), V311),
        Ok(vec![0x20, 2, 1, 0])
    );
}

#[test]
fn maximum_qos_2_is_said_by_leaving_it_out() {
    let with = |qos| {
        success(ConnackProperties {
            qos_max: Some(qos),
            ..ConnackProperties::default()
        })
    };
    assert_eq!(encoded(&with(QoS::ExactlyOnce), V5), Ok(vec![0x20, 3, 1, 0, 0]));
    assert_eq!(
        encoded(&with(QoS::AtLeastOnce), V5),
        Ok(vec![0x20, 5, 1, 0, 2, 0x24, 1])
    );
    refused(V5, &[0x20, 5, 0, 0, 2, 0x24, 2], "section 3.2.2.3.4 in 5.0", 0x82);
}

#[test]
fn no_property_but_the_users_comes_twice() {
    let all: [&[u8]; 16] = [
        &[0x11, 0, 0, 0, 1],
        &[0x21, 0, 1],
        &[0x24, 1],
        &[0x25, 0],
        &[0x27, 0, 0, 0, 9],
        &[0x12, 0, 1, b'c'],
        &[0x22, 0, 1],
        &[0x1F, 0, 0],
        &[0x28, 1],
        &[0x29, 1],
        &[0x2A, 1],
        &[0x13, 0, 60],
        &[0x1A, 0, 0],
        &[0x1C, 0, 0],
        &[0x15, 0, 0],
        &[0x16, 0, 0],
    ];
    for property in all {
        let twice = packet(0x20, &[&[0, 0], &section(&[property, property])]);
        refused(V5, &twice, "section 3.2.2.3 in 5.0", 0x82);
    }
    let Packet::Connack(connack) = accepted(V5, &packet(0x20, &[&[0, 0], &section(&all)])) else {
        panic!("not a CONNACK");
    };
    assert_eq!(connack.properties.server_keep_alive_secs, Some(60));
}

#[test]
fn a_connack_cut_short_is_malformed() {
    refused(V5, &[0x20, 2, 0, 0], "section 2.1.4 in 5.0", 0x81);
    for version in [V31, V311] {
        refused(version, &[0x20, 1, 0], "section 2.2.3 in 3.1.1", 0x81);
    }
    refused_in_all(&[0x21, 2, 0, 0], "MQTT-2.2.2-2", "MQTT-2.1.3-1", 0x81);
}
