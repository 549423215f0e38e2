use bytes::BytesMut;

use super::*;
use crate::Packet;
use crate::Version::{V5, V31, V311};
use crate::tests::support::{accepted, packet, refused, refused_in_all, section, text, violation};

fn publish(version: Version, bytes: &[u8]) -> Publish {
    let Packet::Publish(publish) = accepted(version, bytes) else {
        panic!("not a PUBLISH")
    };
    publish
}

/// A QoS 0 PUBLISH of 5.0 to `t` with these properties.
fn with(properties: &[&[u8]]) -> Vec<u8> {
    packet(0x30, &[&text("t"), &section(properties), b"p"])
}

#[test]
fn topic_and_payload_are_slices_of_the_read_buffer() {
    let mut stream = Bytes::copy_from_slice(&packet(0x30, &[&text("sensors/1"), b"21.5"]));
    let buffer = stream.as_ptr_range();
    let Ok(Some(Packet::Publish(publish))) = crate::decode(&mut stream, V311, 1000) else {
        panic!("not decoded")
    };
    assert!(buffer.contains(&publish.topic.as_ptr()));
    assert!(buffer.contains(&publish.payload.as_ptr()));
    assert!(!buffer.contains(&publish.topic.detach().as_ptr()));
}

/// [MQTT-3.3.1-4] in 3.1.1, [MQTT-3.3.1-4] in 5.0: both QoS bits set end the connection.
#[test]
fn v5_3_3_1_4_qos_3_is_malformed() {
    refused_in_all(
        &packet(0x36, &[&text("t"), &[0, 1]]),
        "MQTT-3.3.1-4",
        "MQTT-3.3.1-4",
        0x81,
    );
    assert_eq!(
        violation(V5, &packet(0x36, &[&text("t"), &[0, 1]])).to_string(),
        "PUBLISH: QoS 3 ([MQTT-3.3.1-4] in 5.0)"
    );
}

/// [MQTT-3.3.1-2] in 3.1.1, [MQTT-3.3.1-2] in 5.0: what is sent at most once cannot be a repetition.
#[test]
fn v5_3_3_1_2_dup_with_qos_0_is_malformed() {
    refused_in_all(&packet(0x38, &[&text("t")]), "MQTT-3.3.1-2", "MQTT-3.3.1-2", 0x81);
}

/// [MQTT-2.3.1-1] in 3.1.1, [MQTT-2.2.1-3] in 5.0, [MQTT-2.2.1-4] in 5.0: a message above QoS 0 has an identifier,
/// and 0 is none.
#[test]
fn v5_2_2_1_3_packet_id_0_is_a_protocol_error() {
    for first in [0x32, 0x34] {
        refused_in_all(
            &packet(first, &[&text("t"), &[0, 0]]),
            "MQTT-2.3.1-1",
            "MQTT-2.2.1-3",
            0x82,
        );
    }
    assert_eq!(
        violation(V311, &packet(0x32, &[&text("t")])).detail(),
        "a field reaches beyond the end of the packet"
    );
}

/// [MQTT-2.3.1-5] in 3.1.1, [MQTT-2.2.1-2] in 5.0: at QoS 0 the payload follows the topic at once.
#[test]
fn v311_2_3_1_5_qos_0_has_no_packet_id() {
    let received = publish(V311, &packet(0x30, &[&text("t"), &[0, 1]]));
    assert_eq!((received.packet_id, &received.payload[..]), (None, &[0, 1][..]));

    let mut out = BytesMut::new();
    let sent = Publish {
        packet_id: Some(PacketId::MIN),
        ..received
    };
    sent.encode(V5, &mut out).expect("it fits");
    assert_eq!(out[..], packet(0x30, &[&text("t"), &[0], &[0, 1]]));
}

/// [MQTT-3.3.2-2] in 3.1.1, [MQTT-3.3.2-2] in 5.0: nobody publishes to a wildcard.
#[test]
fn v5_3_3_2_2_wildcards_in_the_topic_name_are_refused() {
    for topic in ["#", "+", "a/+/b", "a/#", "a+", "a#b"] {
        refused_in_all(
            &packet(0x30, &[&text(topic), &[0]]),
            "MQTT-3.3.2-2",
            "MQTT-3.3.2-2",
            0x90,
        );
    }
}

/// [MQTT-3.3.2-1] in 3.1.1, [MQTT-3.3.2-1] in 5.0, [MQTT-1.5.3-1] in 3.1.1, [MQTT-1.5.4-1] in 5.0: the Topic Name
/// comes first and is UTF-8.
#[test]
fn v5_3_3_2_1_a_topic_name_that_is_not_utf8_is_malformed() {
    for topic in [&b"\xC0\x80"[..], b"\xED\xA0\x80", b"\xFF", b"a\xE2\x82"] {
        let len = u8::try_from(topic.len()).expect("short");
        refused_in_all(
            &packet(0x30, &[&[0, len], topic, &[0]]),
            "MQTT-1.5.3-1",
            "MQTT-1.5.4-1",
            0x81,
        );
    }
}

/// [MQTT-1.5.3-2] in 3.1.1, [MQTT-4.7.3-2] in 3.1.1, [MQTT-1.5.4-2] in 5.0, [MQTT-4.7.3-2] in 5.0: no U+0000 in a topic.
#[test]
fn v5_4_7_3_2_a_null_character_in_the_topic_name_is_malformed() {
    refused_in_all(
        &packet(0x30, &[&text("a\0b"), &[0]]),
        "MQTT-1.5.3-2",
        "MQTT-1.5.4-2",
        0x81,
    );
}

/// [MQTT-4.7.3-1] in 3.1.1, [MQTT-4.7.3-1] in 5.0: a topic has at least one character; only an alias replaces it.
#[test]
fn v5_4_7_3_1_an_empty_topic_needs_an_alias() {
    for version in [V31, V311] {
        refused(
            version,
            &packet(0x30, &[&text(""), b"p"]),
            "[MQTT-4.7.3-1] in 3.1.1",
            0x82,
        );
    }
    refused(
        V5,
        &packet(0x30, &[&text(""), &[0], b"p"]),
        "section 3.3.2.1 in 5.0",
        0x82,
    );
    refused(
        V5,
        &packet(0x30, &[&text(""), &section(&[&[0x01, 1]]), b"p"]),
        "section 3.3.2.1 in 5.0",
        0x82,
    );
    let received = publish(V5, &packet(0x30, &[&text(""), &section(&[&[0x23, 0, 7]]), b"p"]));
    assert!(received.topic.is_empty());
    assert_eq!(received.topic_alias(), NonZeroU16::new(7));
}

/// [MQTT-3.3.2-8] in 5.0: 0 is not an alias.
#[test]
fn v5_3_3_2_8_alias_0_is_refused() {
    refused(V5, &with(&[&[0x23, 0, 0]]), "[MQTT-3.3.2-8] in 5.0", 0x94);
}

/// [MQTT-3.3.2-13] in 5.0, [MQTT-3.3.2-14] in 5.0: the Response Topic is a Topic Name.
#[test]
fn v5_3_3_2_14_the_response_topic_is_a_topic_name() {
    for topic in ["reply/#", "+"] {
        refused(V5, &with(&[&[0x08], &text(topic)]), "[MQTT-3.3.2-14] in 5.0", 0x82);
    }
    refused(V5, &with(&[&[0x08], &text("")]), "[MQTT-4.7.3-1] in 5.0", 0x90);
    refused(V5, &with(&[&[0x08, 0, 1, 0xFF]]), "[MQTT-1.5.4-1] in 5.0", 0x81);
}

/// [MQTT-3.3.2-19] in 5.0: the Content Type is UTF-8.
#[test]
fn v5_3_3_2_19_a_content_type_that_is_not_utf8_is_malformed() {
    refused(V5, &with(&[&[0x03, 0, 1, 0x80]]), "[MQTT-1.5.4-1] in 5.0", 0x81);
}

/// [MQTT-1.5.7-1] in 5.0: name and value of a user property are both UTF-8 without U+0000.
#[test]
fn v5_1_5_7_1_user_properties_are_strings() {
    refused(
        V5,
        &with(&[&[0x26, 0, 1, 0xFF], &text("v")]),
        "[MQTT-1.5.4-1] in 5.0",
        0x81,
    );
    refused(
        V5,
        &with(&[&[0x26], &text("n"), &[0, 1, 0xFF]]),
        "[MQTT-1.5.4-1] in 5.0",
        0x81,
    );
    refused(
        V5,
        &with(&[&[0x26], &text("n"), &text("\0")]),
        "[MQTT-1.5.4-2] in 5.0",
        0x81,
    );
}

#[test]
fn properties_out_of_range_are_protocol_errors() {
    refused(V5, &with(&[&[0x01, 2]]), "section 3.3.2.3 in 5.0", 0x82);
    refused(V5, &with(&[&[0x0B, 0]]), "section 3.3.2.3 in 5.0", 0x82);
}

#[test]
fn what_may_come_twice_does_and_nothing_else() {
    let pair = [&[0x26][..], &text("n"), &text("v")].concat();
    let received = publish(V5, &with(&[&[0x0B, 1], &pair, &[0x0B, 1], &pair]));
    let properties = received.properties.expect("there are some");
    assert_eq!(properties.subscription_ids.len(), 2);
    assert_eq!(properties.user_properties.len(), 2);

    let twice: [&[u8]; 6] = [
        &[0x01, 1],
        &[0x02, 0, 0, 0, 1],
        &[0x23, 0, 1],
        &[0x08, 0, 1, b't'],
        &[0x09, 0, 0],
        &[0x03, 0, 0],
    ];
    for property in twice {
        refused(V5, &with(&[property, property]), "section 3.3.2.3 in 5.0", 0x82);
    }
}

/// [MQTT-2.2.2-1] in 5.0: a PUBLISH without properties says so with a length of zero.
#[test]
fn v5_2_2_2_1_no_properties_are_a_length_of_zero() {
    assert_eq!(publish(V5, &with(&[])).properties, None);
    refused(V5, &packet(0x30, &[&text("t")]), "section 2.1.4 in 5.0", 0x81);
}

#[test]
fn a_kept_message_shares_nothing_with_the_read_buffer() {
    let wire = with(&[
        &[0x08],
        &text("r"),
        &[0x09],
        &text("c"),
        &[0x03],
        &text("x"),
        &[0x26],
        &text("n"),
        &text("v"),
    ]);
    let mut stream = Bytes::from(wire);
    let buffer = stream.as_ptr_range();
    let Ok(Some(Packet::Publish(publish))) = crate::decode(&mut stream, V5, 1000) else {
        panic!("not decoded")
    };
    let properties = publish.properties.expect("there are some");
    let kept = properties.detach();
    assert_eq!(kept, *properties);
    let (name, value) = kept.user_properties.first().expect("one");
    for text in [
        kept.response_topic.as_deref(),
        kept.content_type.as_deref(),
        Some(&**name),
        Some(&**value),
    ] {
        assert!(!buffer.contains(&text.expect("it was there").as_ptr()));
    }
}
