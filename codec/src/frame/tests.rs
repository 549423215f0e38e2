use super::*;
use crate::Version::{V5, V31, V311};
use crate::tests::support::{accepted, packet, refused, refused_in_all, text};

fn code(result: Result<Frame, Violation>) -> u8 {
    result.expect_err("a violation").reason().code()
}

#[test]
fn a_frame_tells_what_it_needs() {
    assert_eq!(frame(&[], 100), Ok(Frame::Partial { need: None }));
    assert_eq!(frame(&[0x30], 100), Ok(Frame::Partial { need: None }));
    assert_eq!(frame(&[0x30, 0x80], 1_000), Ok(Frame::Partial { need: None }));
    assert_eq!(
        frame(&[0x30, 0x80, 0x01], 1_000),
        Ok(Frame::Partial { need: Some(131) })
    );
    assert_eq!(frame(&[0xC0, 0, 0xC0], 100), Ok(Frame::Whole { len: 2 }));
}

#[test]
fn a_reserved_type_is_refused_at_its_first_byte() {
    assert_eq!(code(frame(&[0x00], 100)), 0x81);
    assert_eq!(code(frame(&[0x0F, 0], 100)), 0x81);
}

#[test]
fn a_fifth_length_byte_is_refused_before_it_comes() {
    assert_eq!(code(frame(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF], u32::MAX)), 0x81);
}

/// [MQTT-3.2.2-15] in 5.0: a packet above the limit is refused when its length is known, not when it has come.
#[test]
fn v5_3_2_2_15_a_packet_above_the_limit_is_refused_by_its_header() {
    let header = [0x30, 0x80, 0x01];
    assert_eq!(frame(&header, 131), Ok(Frame::Partial { need: Some(131) }));
    assert_eq!(code(frame(&header, 130)), 0x95);
    let violation = decode(&mut Bytes::copy_from_slice(&header), V5, 130).expect_err("too large");
    assert_eq!(violation.connack_reason(), crate::ConnackReason::PacketTooLarge);
}

/// [MQTT-1.5.5-1] in 5.0: a Remaining Length takes as few bytes as it can; 3.1.1 does not ask for that.
#[test]
fn v5_1_5_5_1_a_padded_remaining_length_is_malformed() {
    let padded = [0xC0, 0x80, 0x00];
    refused(V5, &padded, "[MQTT-1.5.5-1] in 5.0", 0x81);
    assert_eq!(accepted(V311, &padded), Packet::Pingreq);
}

/// [MQTT-2.2.2-1] in 3.1.1, [MQTT-2.2.2-2] in 3.1.1, [MQTT-2.1.3-1] in 5.0: reserved flags are what the standard says.
#[test]
fn v5_2_1_3_1_reserved_flags_are_checked_in_every_packet() {
    let id: &[u8] = &[0, 1];
    let suback: &[u8] = &[0, 1, 0];
    for (kind, body) in [
        (0x20, &[0, 0][..]),
        (0x40, id),
        (0x50, id),
        (0x70, id),
        (0x90, suback),
        (0xB0, id),
    ] {
        for flags in 1..16 {
            refused_in_all(&packet(kind | flags, &[body]), "MQTT-2.2.2-2", "MQTT-2.1.3-1", 0x81);
        }
    }
    for kind in [0xC0, 0xD0] {
        for flags in 1..16 {
            refused_in_all(&[kind | flags, 0], "MQTT-2.2.2-2", "MQTT-2.1.3-1", 0x81);
        }
    }
}

/// [MQTT-3.6.1-1] in 3.1.1, [MQTT-3.6.1-1] in 5.0: the flags of PUBREL are 2.
#[test]
fn v5_3_6_1_1_pubrel_has_the_flags_0010() {
    flags_are_0010(0x60, &[0, 1], "MQTT-3.6.1-1");
}

/// [MQTT-3.8.1-1] in 3.1.1, [MQTT-3.8.1-1] in 5.0: the flags of SUBSCRIBE are 2.
#[test]
fn v5_3_8_1_1_subscribe_has_the_flags_0010() {
    flags_are_0010(0x80, &[0, 1, 0, 1, b'a', 0], "MQTT-3.8.1-1");
}

/// [MQTT-3.10.1-1] in 3.1.1, [MQTT-3.10.1-1] in 5.0: the flags of UNSUBSCRIBE are 2.
#[test]
fn v5_3_10_1_1_unsubscribe_has_the_flags_0010() {
    flags_are_0010(0xA0, &[0, 1, 0, 1, b'a'], "MQTT-3.10.1-1");
}

/// `body` is that of 3.x.
#[track_caller]
fn flags_are_0010(kind: u8, body: &[u8], clause: &str) {
    let good = accepted(V311, &packet(kind | 0b0010, &[body]));
    for flags in (0..16).filter(|&flags| flags != 0b0010) {
        let bytes = packet(kind | flags, &[body]);
        refused(V311, &bytes, &format!("[{clause}] in 3.1.1"), 0x81);
        refused(V5, &bytes, &format!("[{clause}] in 5.0"), 0x81);
        // What a client of 3.1 sends again has DUP set.
        if flags == 0b1010 {
            assert_eq!(accepted(V31, &bytes), good);
        } else {
            refused(V31, &bytes, &format!("[{clause}] in 3.1.1"), 0x81);
        }
    }
}

#[test]
fn bytes_after_the_last_field_are_malformed() {
    let id: &[u8] = &[0, 1, 0];
    for version in [V31, V311] {
        for first in [0x40, 0x50, 0x62, 0x70, 0xB0] {
            refused(version, &packet(first, &[id]), "section 2.2.3 in 3.1.1", 0x81);
        }
        refused(version, &packet(0x20, &[&[0, 0, 0]]), "section 2.2.3 in 3.1.1", 0x81);
        refused(version, &[0xE0, 1, 0], "section 2.2.3 in 3.1.1", 0x81);
    }
    for version in Version::ALL {
        for first in [0xC0, 0xD0] {
            let clause = if version == V5 {
                "section 2.1.4 in 5.0"
            } else {
                "section 2.2.3 in 3.1.1"
            };
            refused(version, &[first, 1, 0], clause, 0x81);
        }
    }
    for first in [0x40, 0x50, 0x62, 0x70] {
        refused(V5, &packet(first, &[&[0, 1, 0, 0, 9]]), "section 2.1.4 in 5.0", 0x81);
    }
    refused(V5, &packet(0xE0, &[&[0, 0, 9]]), "section 2.1.4 in 5.0", 0x81);
}

#[test]
fn auth_does_not_exist_in_3x() {
    for version in [V31, V311] {
        refused(version, &[0xF0, 0], "section 2.2.1 in 3.1.1", 0x81);
    }
}

/// [MQTT-3.1.0-1] in 3.1.1, [MQTT-3.1.0-1] in 5.0: anything before CONNECT is refused at its first byte.
#[test]
fn v5_3_1_0_1_the_first_packet_is_connect() {
    for first in (0..=0xFF_u8).filter(|first| first >> 4 != 1) {
        let violation = decode_connect(&mut Bytes::copy_from_slice(&[first]), 100).expect_err("not a CONNECT");
        assert_eq!(violation.clause().to_string(), "[MQTT-3.1.0-1] in 5.0");
        assert_eq!(violation.packet(), PacketKind::from_first_byte(first));
    }
    assert_eq!(decode_connect(&mut Bytes::from_static(&[0x10]), 100), Ok(None));
    assert_eq!(decode_connect(&mut Bytes::new(), 100), Ok(None));
}

#[test]
fn a_connect_has_no_flags_and_a_minimal_length() {
    let good = packet(0x10, &[&text("MQTT"), &[5, 2, 0, 0, 0], &text("c")]);
    assert!(decode_connect(&mut Bytes::from(good.clone()), 100).is_ok_and(|connect| connect.is_some()));
    let mut flagged = good.clone();
    flagged[0] |= 1;
    let violation = decode_connect(&mut Bytes::from(flagged), 100).expect_err("flags");
    assert_eq!(violation.clause().id, "MQTT-2.1.3-1");
    let mut padded = good;
    padded[1] |= 0x80;
    padded.insert(2, 0);
    let violation = decode_connect(&mut Bytes::from(padded), 100).expect_err("padding");
    assert_eq!(violation.clause().id, "MQTT-1.5.5-1");
}
