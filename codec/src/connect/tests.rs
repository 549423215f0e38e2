use super::*;
use crate::tests::support::{connect_refused, connected, packet, section, text};

const V5_HEAD: &[u8] = b"\0\x04MQTT\x05";
const V311_HEAD: &[u8] = b"\0\x04MQTT\x04";
const V31_HEAD: &[u8] = b"\0\x06MQIsdp\x03";

/// A CONNECT of 3.1.1 with these flags and payload fields, keep alive 60.
fn v311(flags: u8, payload: &[&[u8]]) -> Vec<u8> {
    packet(0x10, &[V311_HEAD, &[flags, 0, 60], &payload.concat()])
}

fn v5(flags: u8, properties: &[&[u8]], payload: &[&[u8]]) -> Vec<u8> {
    packet(
        0x10,
        &[V5_HEAD, &[flags, 0, 60], &section(properties), &payload.concat()],
    )
}

/// A CONNECT of 5.0 with these properties and nothing else.
fn with(properties: &[&[u8]]) -> Vec<u8> {
    v5(2, properties, &[&text("c")])
}

#[test]
fn the_three_versions_tell_themselves_apart() {
    let rest: &[u8] = &[2, 0, 60];
    assert_eq!(
        connected(&packet(0x10, &[V31_HEAD, rest, &text("c")])).version,
        Version::V31
    );
    assert_eq!(connected(&v311(2, &[&text("c")])).version, Version::V311);
    assert_eq!(connected(&with(&[])).version, Version::V5);
}

/// [MQTT-3.1.2-1] in 3.1.1, [MQTT-3.1.2-1] in 5.0: another protocol is not served.
#[test]
fn v5_3_1_2_1_an_unknown_protocol_name_is_refused() {
    for name in ["mqtt", "MQTT ", "", "HTTP", "MQIsdP"] {
        let bytes = packet(0x10, &[&text(name), &[4, 2, 0, 60], &text("c")]);
        connect_refused(&bytes, "[MQTT-3.1.2-1] in 5.0", 0x81);
    }
}

/// [MQTT-3.1.2-2] in 3.1.1, [MQTT-3.1.2-2] in 5.0: a level that is not served gets the answer that its client can read,
/// return code 1 below 5 and reason code 0x84 above.
#[test]
fn v311_3_1_2_2_an_unsupported_level_is_refused_with_its_own_code() {
    let refused = |name: &str, level: u8, clause: &str| {
        connect_refused(
            &packet(0x10, &[&text(name), &[level, 2, 0, 60], &text("c")]),
            clause,
            0x84,
        );
    };
    for (name, level) in [("MQTT", 0), ("MQTT", 3), ("MQIsdp", 4), ("MQIsdp", 0)] {
        refused(name, level, "[MQTT-3.1.2-2] in 3.1.1");
    }
    for (name, level) in [("MQTT", 6), ("MQTT", 0x85), ("MQIsdp", 5), ("MQTT", 0x7F)] {
        refused(name, level, "[MQTT-3.1.2-2] in 5.0");
    }
}

#[test]
fn a_bridge_is_noted_and_kept() {
    for (head, level) in [(V31_HEAD, 0x83), (V311_HEAD, 0x84)] {
        let mut head = head.to_vec();
        *head.last_mut().expect("the level") = level;
        let bytes = packet(0x10, &[&head, &[2, 0, 60], &text("c")]);
        let connect = connected(&bytes);
        assert!(connect.bridge);
        let mut out = BytesMut::new();
        connect.encode(&mut out).expect("it fits");
        assert_eq!(out[..], bytes);
    }
}

/// [MQTT-3.1.2-3] in 3.1.1, [MQTT-3.1.2-3] in 5.0: the reserved connect flag is 0.
#[test]
fn v5_3_1_2_3_the_reserved_flag_is_malformed() {
    connect_refused(&v311(3, &[&text("c")]), "[MQTT-3.1.2-3] in 3.1.1", 0x81);
    connect_refused(&v5(3, &[], &[&text("c")]), "[MQTT-3.1.2-3] in 5.0", 0x81);
}

#[test]
fn v31_leaves_bits_unused_that_later_versions_reserve() {
    let connect = connected(&packet(0x10, &[V31_HEAD, &[0b0011_1011, 0, 60], &text("c")]));
    assert_eq!(connect.will, None);
}

/// [MQTT-3.1.2-14] in 3.1.1, [MQTT-3.1.2-12] in 5.0: a will has QoS 0, 1 or 2.
#[test]
fn v5_3_1_2_12_will_qos_3_is_malformed() {
    let will = [text("c"), text("t"), text("gone")].concat();
    for qos in 0..3 {
        let found = connected(&v311(0b110 | qos << 3, &[&will])).will.expect("a will");
        assert_eq!(u8::from(found.qos), qos);
    }
    connect_refused(&v311(0b1_1110, &[&will]), "[MQTT-3.1.2-14] in 3.1.1", 0x81);
    connect_refused(&v5(0b1_1110, &[], &[&will]), "[MQTT-3.1.2-12] in 5.0", 0x81);
}

/// [MQTT-3.1.2-11] in 3.1.1, [MQTT-3.1.2-13] in 3.1.1, [MQTT-3.1.2-15] in 3.1.1, [MQTT-3.1.2-11] in 5.0,
/// [MQTT-3.1.2-13] in 5.0: without a will its QoS and RETAIN are 0, and nothing of it is in the payload.
#[test]
fn v5_3_1_2_11_flags_of_a_will_that_is_not_there_are_malformed() {
    for qos in [0b0_1010, 0b1_0010, 0b1_1010] {
        connect_refused(&v311(qos, &[&text("c")]), "[MQTT-3.1.2-13] in 3.1.1", 0x81);
        connect_refused(&v5(qos, &[], &[&text("c")]), "[MQTT-3.1.2-11] in 5.0", 0x81);
    }
    connect_refused(&v311(0b10_0010, &[&text("c")]), "[MQTT-3.1.2-15] in 3.1.1", 0x81);
    connect_refused(&v5(0b10_0010, &[], &[&text("c")]), "[MQTT-3.1.2-13] in 5.0", 0x81);
    connect_refused(
        &v311(2, &[&text("c"), &text("t"), &text("gone")]),
        "section 2.2.3 in 3.1.1",
        0x81,
    );
}

/// [MQTT-3.1.2-9] in 3.1.1, [MQTT-3.1.2-9] in 5.0: with the flag set, all of the will is there.
#[test]
fn v5_3_1_2_9_a_will_without_its_fields_is_malformed() {
    connect_refused(&v311(6, &[&text("c"), &text("t")]), "section 2.2.3 in 3.1.1", 0x81);
    connect_refused(&v311(6, &[&text("c")]), "section 2.2.3 in 3.1.1", 0x81);
    connect_refused(&v5(6, &[], &[&text("c")]), "section 2.1.4 in 5.0", 0x81);
    let will = connected(&v5(
        6,
        &[],
        &[&text("c"), &section(&[&[0x18, 0, 0, 0, 9]]), &text("t"), &text("gone")],
    ))
    .will;
    let will = will.expect("a will");
    assert_eq!((will.delay_secs, will.properties), (9, None));
}

/// [MQTT-3.1.3-10] in 3.1.1, [MQTT-3.1.3-11] in 5.0, [MQTT-4.7.0-1] in 5.0: the Will Topic is a Topic Name.
#[test]
fn v5_3_1_3_11_the_will_topic_is_a_topic_name() {
    let v311_with = |topic: &[u8]| v311(6, &[&text("c"), topic, &text("gone")]);
    connect_refused(&v311_with(&[0, 1, 0xFF]), "[MQTT-1.5.3-1] in 3.1.1", 0x81);
    connect_refused(&v311_with(&text("a/#")), "[MQTT-4.7.1-1] in 3.1.1", 0x90);
    connect_refused(&v311_with(&text("")), "[MQTT-4.7.3-1] in 3.1.1", 0x90);
    connect_refused(
        &v5(6, &[], &[&text("c"), &[0], &text("+"), &text("x")]),
        "[MQTT-4.7.0-1] in 5.0",
        0x90,
    );
}

/// [MQTT-3.1.3-1] in 3.1.1, [MQTT-3.1.3-1] in 5.0, [MQTT-3.1.3-3] in 3.1.1, [MQTT-3.1.3-3] in 5.0: the fields of the
/// payload come in their order, the client id first.
#[test]
fn v5_3_1_3_1_the_payload_has_its_order() {
    let fields: [&[u8]; 5] = [
        &text("id"),
        &text("topic"),
        &text("gone"),
        &text("user"),
        &text("secret"),
    ];
    let connect = connected(&v311(0b1111_0110, &fields));
    assert_eq!(connect.client_id, "id");
    let will = connect.will.expect("a will");
    assert_eq!(
        (will.topic.as_str(), &will.payload[..], will.retain),
        ("topic", &b"gone"[..], true)
    );
    assert_eq!(connect.username.as_deref(), Some("user"));
    assert_eq!(connect.password.as_deref(), Some(&b"secret"[..]));
    connect_refused(&v311(2, &[]), "section 2.2.3 in 3.1.1", 0x81);
}

/// [MQTT-3.1.3-4] in 3.1.1, [MQTT-3.1.3-4] in 5.0: the client id is UTF-8.
#[test]
fn v5_3_1_3_4_a_client_id_that_is_not_utf8_is_malformed() {
    connect_refused(&v311(2, &[&[0, 1, 0xC0]]), "[MQTT-1.5.3-1] in 3.1.1", 0x81);
    connect_refused(&v5(2, &[], &[&text("a\0")]), "[MQTT-1.5.4-2] in 5.0", 0x81);
    assert_eq!(connected(&v311(2, &[&text("")])).client_id, "");
}

/// [MQTT-3.1.3-11] in 3.1.1, [MQTT-3.1.3-12] in 5.0: the user name is UTF-8.
#[test]
fn v5_3_1_3_12_a_user_name_that_is_not_utf8_is_malformed() {
    connect_refused(
        &v311(0x82, &[&text("c"), &[0, 1, 0xC0]]),
        "[MQTT-1.5.3-1] in 3.1.1",
        0x81,
    );
    connect_refused(
        &v5(0x82, &[], &[&text("c"), &[0, 1, 0xC0]]),
        "[MQTT-1.5.4-1] in 5.0",
        0x81,
    );
}

/// [MQTT-3.1.2-18] in 3.1.1, [MQTT-3.1.2-19] in 3.1.1, [MQTT-3.1.2-16] in 5.0, [MQTT-3.1.2-17] in 5.0: the user name is
/// there exactly when its flag says so.
#[test]
fn v5_3_1_2_17_the_user_name_is_there_when_its_flag_says_so() {
    connect_refused(&v311(0x82, &[&text("c")]), "section 2.2.3 in 3.1.1", 0x81);
    connect_refused(&v5(0x82, &[], &[&text("c")]), "section 2.1.4 in 5.0", 0x81);
    connect_refused(
        &v311(0x02, &[&text("c"), &text("user")]),
        "section 2.2.3 in 3.1.1",
        0x81,
    );
    connect_refused(
        &v5(0x02, &[], &[&text("c"), &text("user")]),
        "section 2.1.4 in 5.0",
        0x81,
    );
}

/// [MQTT-3.1.2-20] in 3.1.1, [MQTT-3.1.2-21] in 3.1.1, [MQTT-3.1.2-18] in 5.0, [MQTT-3.1.2-19] in 5.0: the password is
/// there exactly when its flag says so.
#[test]
fn v5_3_1_2_19_the_password_is_there_when_its_flag_says_so() {
    connect_refused(
        &v311(0xC2, &[&text("c"), &text("user")]),
        "section 2.2.3 in 3.1.1",
        0x81,
    );
    connect_refused(
        &v5(0xC2, &[], &[&text("c"), &text("user")]),
        "section 2.1.4 in 5.0",
        0x81,
    );
    connect_refused(
        &v311(0x82, &[&text("c"), &text("user"), &text("secret")]),
        "section 2.2.3 in 3.1.1",
        0x81,
    );
    connect_refused(
        &v5(0x82, &[], &[&text("c"), &text("user"), &text("secret")]),
        "section 2.1.4 in 5.0",
        0x81,
    );
}

/// [MQTT-3.1.2-22] in 3.1.1: no password without a user name. 5.0 allows it.
#[test]
fn v311_3_1_2_22_a_password_alone_is_malformed() {
    connect_refused(
        &v311(0x42, &[&text("c"), &text("secret")]),
        "[MQTT-3.1.2-22] in 3.1.1",
        0x81,
    );
    let connect = connected(&v5(0x42, &[], &[&text("c"), &text("token")]));
    assert_eq!(
        (connect.username, connect.password.as_deref()),
        (None, Some(&b"token"[..]))
    );
}

#[test]
fn v31_lets_the_length_win_over_the_flags_of_name_and_password() {
    let v31 = |payload: &[&[u8]]| connected(&packet(0x10, &[V31_HEAD, &[0xC2, 0, 60], &payload.concat()]));
    assert_eq!(v31(&[&text("c")]).username, None);
    let named = v31(&[&text("c"), &text("user")]);
    assert_eq!((named.username.as_deref(), named.password), (Some("user"), None));
}

#[test]
fn properties_out_of_range_are_protocol_errors() {
    let bad: [&[u8]; 5] = [
        &[0x21, 0, 0],
        &[0x27, 0, 0, 0, 0],
        &[0x19, 2],
        &[0x17, 2],
        &[0x16, 0, 1, 7],
    ];
    for property in bad {
        connect_refused(&with(&[property]), "section 3.1.2.11 in 5.0", 0x82);
    }
}

#[test]
fn no_property_but_the_users_comes_twice() {
    let all: [&[u8]; 8] = [
        &[0x11, 0, 0, 0, 1],
        &[0x21, 0, 1],
        &[0x27, 0, 0, 0, 9],
        &[0x22, 0, 1],
        &[0x19, 1],
        &[0x17, 1],
        &[0x15, 0, 1, b'm'],
        &[0x16, 0, 0],
    ];
    for property in all {
        connect_refused(&with(&[property, property]), "section 3.1.2.11 in 5.0", 0x82);
    }
    let connect = connected(&with(&[&all.concat(), b"\x26\0\x01n\0\x01v\x26\0\x01n\0\x01v"]));
    assert_eq!(connect.properties.user_properties.len(), 2);
    assert_eq!(connect.properties.authentication_method.as_deref(), Some("m"));
}

#[test]
fn a_will_has_its_own_properties_and_no_others() {
    let will = |properties: &[&[u8]]| v5(6, &[], &[&text("c"), &section(properties), &text("t"), &text("gone")]);
    connect_refused(
        &will(&[&[0x18, 0, 0, 0, 1], &[0x18, 0, 0, 0, 1]]),
        "section 3.1.2.11 in 5.0",
        0x82,
    );
    for foreign in [&[0x23, 0, 1][..], &[0x0B, 1], &[0x11, 0, 0, 0, 1]] {
        connect_refused(&will(&[foreign]), "section 2.2.2.2 in 5.0", 0x81);
    }
    let found = connected(&will(&[&[0x02, 0, 0, 0, 5], &[0x01, 1]]))
        .will
        .expect("a will");
    assert_eq!(found.properties.expect("some").message_expiry_secs, Some(5));
}

/// [MQTT-3.1.4-1] in 3.1.1, [MQTT-3.1.4-1] in 5.0: a CONNECT that goes on behind its last field is not one; in 3.x no
/// return code exists for that.
#[test]
fn v311_3_1_4_1_bytes_left_over_are_malformed() {
    connect_refused(&v311(2, &[&text("c"), &[0]]), "section 2.2.3 in 3.1.1", 0x81);
    connect_refused(&v5(2, &[], &[&text("c"), &[0]]), "section 2.1.4 in 5.0", 0x81);
    assert_eq!(crate::ConnackReason::MalformedPacket.v3_code(), None);
}
