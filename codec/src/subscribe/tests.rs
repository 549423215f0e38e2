use super::*;
use crate::Packet;
use crate::Version::{V5, V31, V311};
use crate::tests::support::{accepted, packet, refused, refused_in_all, section, text};

fn v311(filter: &[u8], options: u8) -> Vec<u8> {
    packet(0x82, &[&[0, 1], filter, &[options]])
}

fn v5(filter: &str, options: u8) -> Vec<u8> {
    packet(0x82, &[&[0, 1], &[0], &text(filter), &[options]])
}

#[test]
fn the_options_of_5_0_are_read_bit_by_bit() {
    let Packet::Subscribe(subscribe) = accepted(V5, &v5("a/+", 0b10_1101)) else {
        panic!("not a SUBSCRIBE")
    };
    let expected = SubscribeFilter {
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::DoNotSend,
        ..SubscribeFilter::new(TopicFilter::new("a/+").expect("good"), QoS::AtLeastOnce)
    };
    assert_eq!(subscribe.filters, [expected]);
}

/// [MQTT-3.8.3-1] in 3.1.1, [MQTT-3.8.3-1] in 5.0: filters are UTF-8 without U+0000.
#[test]
fn v5_3_8_3_1_a_filter_that_is_not_utf8_is_malformed() {
    refused(V311, &v311(&[0, 1, 0xFF], 0), "[MQTT-1.5.3-1] in 3.1.1", 0x81);
    refused(V311, &v311(&[0, 1, 0], 0), "[MQTT-1.5.3-2] in 3.1.1", 0x81);
    refused(
        V5,
        &packet(0x82, &[&[0, 1, 0], &[0, 1, 0xFF], &[0]]),
        "[MQTT-1.5.4-1] in 5.0",
        0x81,
    );
    refused(V5, &v5("a\0", 0), "[MQTT-1.5.4-2] in 5.0", 0x81);
}

/// [MQTT-3.8.3-3] in 3.1.1, [MQTT-3.8.3-2] in 5.0: there is at least one filter.
#[test]
fn v5_3_8_3_2_no_filter_is_a_protocol_error() {
    for version in [V31, V311] {
        refused(version, &packet(0x82, &[&[0, 1]]), "[MQTT-3.8.3-3] in 3.1.1", 0x82);
    }
    refused(V5, &packet(0x82, &[&[0, 1, 0]]), "[MQTT-3.8.3-2] in 5.0", 0x82);
}

/// [MQTT-3.8.3-4] in 3.1.1: the upper six bits are 0, and the QoS is 0, 1 or 2.
#[test]
fn v311_3_8_3_4_reserved_option_bits_are_malformed() {
    for bit in 2..8 {
        refused(V311, &v311(&text("a"), 1 << bit), "[MQTT-3.8.3-4] in 3.1.1", 0x81);
    }
    refused(V311, &v311(&text("a"), 3), "[MQTT-3.8.3-4] in 3.1.1", 0x82);
}

/// [MQTT-3.8.3-5] in 5.0: the upper two bits are 0.
#[test]
fn v5_3_8_3_5_reserved_option_bits_are_malformed() {
    for bits in [0x40, 0x80, 0xC0] {
        refused(V5, &v5("a", bits), "[MQTT-3.8.3-5] in 5.0", 0x81);
    }
}

#[test]
fn qos_3_and_retain_handling_3_are_protocol_errors() {
    refused(V5, &v5("a", 3), "section 3.8.3.1 in 5.0", 0x82);
    refused(V5, &v5("a", 0x30), "section 3.8.3.1 in 5.0", 0x82);
}

/// [MQTT-3.8.3-4] in 5.0: a shared subscription cannot leave out the client's own messages.
#[test]
fn v5_3_8_3_4_no_local_on_a_share_is_a_protocol_error() {
    refused(V5, &v5("$share/g/a", 0b100), "[MQTT-3.8.3-4] in 5.0", 0x82);
    accepted(V5, &v5("$share/g/a", 0));
    accepted(V5, &v5("a", 0b100));
}

/// [MQTT-4.7.1-2] in 3.1.1, [MQTT-4.7.1-3] in 3.1.1, [MQTT-4.7.3-1] in 3.1.1: bad filters by the clauses of 3.1.1.
#[test]
fn v311_4_7_1_2_bad_filters_are_refused() {
    refused(V311, &v311(&text("a/#/b"), 0), "[MQTT-4.7.1-2] in 3.1.1", 0x8F);
    refused(V311, &v311(&text("a+"), 0), "[MQTT-4.7.1-3] in 3.1.1", 0x8F);
    refused(V311, &v311(&text(""), 0), "[MQTT-4.7.3-1] in 3.1.1", 0x8F);
}

/// [MQTT-4.7.1-1] in 5.0, [MQTT-4.8.2-1] in 5.0, [MQTT-4.8.2-2] in 5.0: bad filters by the clauses of 5.0.
#[test]
fn v5_4_7_1_1_bad_filters_are_refused() {
    refused(V5, &v5("a/#/b", 0), "[MQTT-4.7.1-1] in 5.0", 0x8F);
    refused(V5, &v5("$share//a", 0), "[MQTT-4.8.2-1] in 5.0", 0x8F);
    refused(V5, &v5("$share/a", 0), "[MQTT-4.8.2-2] in 5.0", 0x8F);
    accepted(V311, &v311(&text("$share/a"), 0));
}

/// [MQTT-2.3.1-1] in 3.1.1, [MQTT-2.2.1-3] in 5.0: a SUBSCRIBE has an identifier, and 0 is none.
#[test]
fn v5_2_2_1_3_packet_id_0_is_a_protocol_error() {
    refused_in_all(
        &packet(0x82, &[&[0, 0, 0], &text("a"), &[0]]),
        "MQTT-2.3.1-1",
        "MQTT-2.2.1-3",
        0x82,
    );
}

#[test]
fn a_subscription_id_is_given_once_and_is_not_0() {
    let with = |properties: &[&[u8]]| packet(0x82, &[&[0, 1], &section(properties), &text("a"), &[0]]);
    let Packet::Subscribe(subscribe) = accepted(V5, &with(&[b"\x0B\xFF\xFF\xFF\x7F"])) else {
        panic!("not a SUBSCRIBE")
    };
    assert_eq!(
        subscribe.subscription_id.map(SubscriptionId::get),
        Some(SubscriptionId::MAX)
    );
    refused(V5, &with(&[&[0x0B, 0]]), "section 3.8.2.1 in 5.0", 0x82);
    refused(V5, &with(&[&[0x0B, 1], &[0x0B, 1]]), "section 3.8.2.1 in 5.0", 0x82);
    refused(V5, &with(&[b"\x0B\xFF\xFF\xFF\xFF\x01"]), "section 1.5.5 in 5.0", 0x81);
    refused(V5, &with(&[&[0x0B, 0x81, 0]]), "[MQTT-1.5.5-1] in 5.0", 0x81);
}

#[test]
fn a_filter_without_options_is_malformed() {
    refused(
        V311,
        &packet(0x82, &[&[0, 1], &text("a")]),
        "section 2.2.3 in 3.1.1",
        0x81,
    );
    refused(
        V5,
        &packet(0x82, &[&[0, 1, 0], &text("a"), &[0], &text("b")]),
        "section 2.1.4 in 5.0",
        0x81,
    );
}
