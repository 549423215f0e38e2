use super::*;
use crate::Packet;
use crate::Version::{V5, V31, V311};
use crate::tests::support::{accepted, packet, refused, section, text};

const METHOD: &[u8] = &[0x15, 0, 1, b'm'];

fn auth(code: u8, properties: &[&[u8]]) -> Vec<u8> {
    packet(0xF0, &[&[code], &section(properties)])
}

/// [MQTT-3.15.1-1] in 5.0: the flags are 0.
#[test]
fn v5_3_15_1_1_reserved_flags_are_malformed() {
    for flags in 1..16 {
        refused(V5, &[0xF0 | flags, 0], "[MQTT-3.15.1-1] in 5.0", 0x81);
    }
}

/// [MQTT-3.15.2-1] in 5.0: only reasons that the standard lists for AUTH.
#[test]
fn v5_3_15_2_1_unknown_reasons_are_refused() {
    for code in 0..=0xFF {
        if AuthReason::from_code(code).is_some() {
            accepted(V5, &auth(code, &[METHOD]));
        } else {
            refused(V5, &auth(code, &[METHOD]), "[MQTT-3.15.2-1] in 5.0", 0x82);
        }
    }
}

#[test]
fn the_method_is_there_and_there_once() {
    refused(V5, &auth(0x18, &[]), "section 3.15.2.2.2 in 5.0", 0x82);
    refused(V5, &auth(0x18, &[&[0x16, 0, 0]]), "section 3.15.2.2.2 in 5.0", 0x82);
    refused(V5, &auth(0x18, &[METHOD, METHOD]), "section 3.15.2.2 in 5.0", 0x82);
    refused(V5, &[0xF0, 1, 0x18], "section 2.1.4 in 5.0", 0x81);
    let Packet::Auth(found) = accepted(V5, &auth(0x19, &[METHOD, &[0x16], &text("data")])) else {
        panic!("not an AUTH");
    };
    assert_eq!(
        (found.method.as_deref(), found.data.as_deref()),
        (Some("m"), Some(&b"data"[..]))
    );
}

#[test]
fn two_bytes_say_success_and_nothing_else() {
    let short = accepted(V5, &[0xF0, 0]);
    let mut out = BytesMut::new();
    short.encode(V5, &mut out).expect("it fits");
    assert_eq!(out[..], [0xF0, 0]);
    assert_eq!(short.encoded_len(V5), 2);
    for version in [V31, V311] {
        assert_eq!(short.encode(version, &mut out), Err(EncodeError::NotInVersion));
    }
}
