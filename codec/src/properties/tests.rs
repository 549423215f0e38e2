use super::*;
use crate::Version::V5;
use crate::tests::support::{accepted, packet, refused, section, text, violation};

/// For each packet of 5.0 that has properties: its first byte, what stands before the properties, what behind, and the
/// properties that the standard gives it.
type Row = (u8, &'static [u8], &'static [u8], &'static [u8]);

const ROWS: &[Row] = &[
    (
        0x10,
        b"\0\x04MQTT\x05\x02\0\0",
        b"\0\0",
        &[0x11, 0x15, 0x17, 0x19, 0x21, 0x22, 0x26, 0x27],
    ),
    (
        0x10,
        b"\0\x04MQTT\x05\x06\0\0\0\0\0",
        b"\0\x01t\0\0",
        &[0x01, 0x02, 0x03, 0x08, 0x09, 0x18, 0x26],
    ),
    (
        0x20,
        &[0, 0],
        &[],
        &[
            0x11, 0x12, 0x13, 0x15, 0x1A, 0x1C, 0x1F, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A,
        ],
    ),
    (0x30, b"\0\x01t", &[], &[0x01, 0x02, 0x03, 0x08, 0x09, 0x0B, 0x23, 0x26]),
    (0x40, &[0, 1, 0], &[], &[0x1F, 0x26]),
    (0x50, &[0, 1, 0], &[], &[0x1F, 0x26]),
    (0x62, &[0, 1, 0], &[], &[0x1F, 0x26]),
    (0x70, &[0, 1, 0], &[], &[0x1F, 0x26]),
    (0x82, &[0, 1], b"\0\x01a\0", &[0x0B, 0x26]),
    (0x90, &[0, 1], &[0], &[0x1F, 0x26]),
    (0xA2, &[0, 1], b"\0\x01a", &[0x26]),
    (0xB0, &[0, 1], &[0], &[0x1F, 0x26]),
    (0xE0, &[0], &[], &[0x11, 0x1C, 0x1F, 0x26]),
];

/// A good value of every property.
fn value(id: u8) -> Vec<u8> {
    match id {
        id::PAYLOAD_FORMAT
        | id::REQUEST_PROBLEM_INFORMATION
        | id::REQUEST_RESPONSE_INFORMATION
        | id::MAXIMUM_QOS
        | id::RETAIN_AVAILABLE
        | id::WILDCARD_SUBSCRIPTION_AVAILABLE
        | id::SUBSCRIPTION_IDS_AVAILABLE
        | id::SHARED_SUBSCRIPTION_AVAILABLE
        | id::SUBSCRIPTION_ID => vec![1],
        id::SERVER_KEEP_ALIVE | id::RECEIVE_MAXIMUM | id::TOPIC_ALIAS_MAXIMUM | id::TOPIC_ALIAS => vec![0, 1],
        id::MESSAGE_EXPIRY | id::SESSION_EXPIRY | id::WILL_DELAY | id::MAXIMUM_PACKET_SIZE => vec![0, 0, 0, 1],
        id::USER_PROPERTY => [text("n"), text("v")].concat(),
        _ => text("x"),
    }
}

#[test]
fn each_packet_takes_its_own_properties_and_no_others() {
    for &(first, before, behind, own) in ROWS {
        for id in 0..=0xFF_u8 {
            let bytes = packet(first, &[before, &section(&[&[id], &value(id)]), behind]);
            if own.contains(&id) {
                accepted(V5, &bytes);
            } else if matches!((first, id), (0x10 | 0x20, id::AUTHENTICATION_DATA)) && own.contains(&0x15) {
                assert_eq!(violation(V5, &bytes).detail(), rules::AUTHENTICATION_DATA_ALONE.detail);
            } else {
                refused(V5, &bytes, "section 2.2.2.2 in 5.0", 0x81);
            }
        }
    }
}

#[test]
fn a_section_that_reaches_beyond_the_packet_is_malformed() {
    for &(first, before, ..) in ROWS {
        refused(
            V5,
            &packet(first, &[before, &[0x7F, 0x26]]),
            "section 2.1.4 in 5.0",
            0x81,
        );
        refused(
            V5,
            &packet(first, &[before, &[0xFF, 0xFF]]),
            "section 2.1.4 in 5.0",
            0x81,
        );
    }
}

/// [MQTT-1.5.5-1] in 5.0: the length of the properties takes as few bytes as it can.
#[test]
fn v5_1_5_5_1_a_padded_property_length_is_malformed() {
    for &(first, before, behind, _) in ROWS {
        refused(
            V5,
            &packet(first, &[before, &[0x80, 0], behind]),
            "[MQTT-1.5.5-1] in 5.0",
            0x81,
        );
    }
}

#[test]
fn a_value_cut_off_by_the_end_of_the_section_is_malformed() {
    // The four bytes of the expiry reach into the payload.
    refused(
        V5,
        &packet(0x30, &[&text("t"), &[3, 0x02, 0, 0], b"payload"]),
        "section 2.1.4 in 5.0",
        0x81,
    );
}
