use crate::Version::{V5, V311};
use crate::tests::support::{packet, refused, refused_in_all, section, text};

/// [MQTT-3.10.3-1] in 3.1.1, [MQTT-3.10.3-1] in 5.0: filters are UTF-8.
#[test]
fn v5_3_10_3_1_a_filter_that_is_not_utf8_is_malformed() {
    refused(
        V311,
        &packet(0xA2, &[&[0, 1], &[0, 1, 0xFF]]),
        "[MQTT-1.5.3-1] in 3.1.1",
        0x81,
    );
    refused(
        V5,
        &packet(0xA2, &[&[0, 1, 0], &[0, 1, 0xFF]]),
        "[MQTT-1.5.4-1] in 5.0",
        0x81,
    );
}

/// [MQTT-3.10.3-2] in 3.1.1, [MQTT-3.10.3-2] in 5.0: there is at least one filter.
#[test]
fn v5_3_10_3_2_no_filter_is_a_protocol_error() {
    refused(V311, &packet(0xA2, &[&[0, 1]]), "[MQTT-3.10.3-2] in 3.1.1", 0x82);
    refused(V5, &packet(0xA2, &[&[0, 1, 0]]), "[MQTT-3.10.3-2] in 5.0", 0x82);
}

/// [MQTT-2.3.1-1] in 3.1.1, [MQTT-2.2.1-3] in 5.0: an UNSUBSCRIBE has an identifier, and 0 is none.
#[test]
fn v5_2_2_1_3_packet_id_0_is_a_protocol_error() {
    refused_in_all(
        &packet(0xA2, &[&[0, 0, 0], &text("a")]),
        "MQTT-2.3.1-1",
        "MQTT-2.2.1-3",
        0x82,
    );
}

#[test]
fn only_user_properties_belong_here() {
    refused(
        V5,
        &packet(0xA2, &[&[0, 1], &section(&[&[0x0B, 1]]), &text("a")]),
        "section 2.2.2.2 in 5.0",
        0x81,
    );
}
