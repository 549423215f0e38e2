//! What a session owes its client, sent again on the next connection and only then: chapters 4.3, 4.4, 4.6 and 4.9.

use mqtt_codec::{
    Packet, PacketId, Puback, PubackReason, Publish, PublishProperties, Pubrec, PubrecReason, QoS, Version,
};

use crate::world::packets::{id, puback, pubcomp, publish, pubrec};
use crate::world::{Client, World, secs};

use Version::{V5, V311};

/// A reader with a session that stays, subscribed at QoS 2, and an editor.
fn house(version: Version) -> (World, Client, Client) {
    let mut world = World::new();
    let reader = world.client("reader").version(version).persistent().connect();
    world.subscribe(reader, "news/#", QoS::ExactlyOnce);
    let editor = world.client("editor").connect();
    (world, reader, editor)
}

fn back(world: &mut World, version: Version) -> Client {
    let (client, connack) = world
        .client("reader")
        .version(version)
        .persistent()
        .connect_with_connack();
    assert_eq!(connack.session_present, version != Version::V31);
    client
}

/// Publishes at QoS 2 and finishes the editor's side of it, so that its packet id is free.
fn tell(world: &mut World, editor: Client, payload: &str, qos: QoS) {
    world.publish(editor, "news", payload, qos);
    if qos == QoS::ExactlyOnce {
        world.send(editor, crate::world::packets::pubrel(id(1)));
    }
}

/// What stands in a packet, short: `1! text` is a PUBLISH with packet id 1 and DUP, `R2` a PUBREL with packet id 2.
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "any other packet is shown as it is, and fails the comparison"
)]
fn short(packet: &Packet) -> String {
    let number = |id: Option<PacketId>| id.map_or(0, PacketId::get);
    match packet {
        Packet::Publish(publish) => {
            let dup = if publish.dup { "!" } else { "" };
            format!(
                "{}{dup} {}",
                number(publish.packet_id),
                String::from_utf8_lossy(&publish.payload)
            )
        }
        Packet::Pubrel(packet) => format!("R{}", packet.packet_id.get()),
        other => format!("{other:?}"),
    }
}

fn heard(world: &mut World, client: Client) -> Vec<String> {
    world.received(client).iter().map(short).collect()
}

/// [MQTT-4.4.0-1] in 5.0, [MQTT-4.3.2-1] in 5.0, [MQTT-4.3.2-2] in 5.0, [MQTT-4.3.2-3] in 5.0, [MQTT-3.3.1-3] in 5.0,
/// [MQTT-4.4.0-1] in 3.1.1, [MQTT-4.3.2-1] in 3.1.1, [MQTT-2.3.1-3] in 3.1.1, [MQTT-2.3.1-4] in 3.1.1,
/// [MQTT-3.3.1-3] in 3.1.1: trap 5. A QoS 1 message without its PUBACK is sent again with DUP, under the same id; one
/// with it is not.
#[test]
fn v5_4_4_0_1_qos_1_is_resent_with_dup_and_the_same_id() {
    for version in Version::ALL {
        let (mut world, reader, editor) = house(version);
        for payload in ["a", "b", "c"] {
            tell(&mut world, editor, payload, QoS::AtLeastOnce);
        }
        assert_eq!(heard(&mut world, reader), ["1 a", "2 b", "3 c"], "{version:?}");
        world.send(reader, puback(id(2)));
        world.drop_connection(reader);

        for _ in 0..2 {
            let reader = back(&mut world, version);
            let received = world.received(reader);
            assert_eq!(
                received.iter().map(short).collect::<Vec<_>>(),
                ["1! a", "3! c"],
                "{version:?}"
            );
            assert!(
                received
                    .iter()
                    .all(|packet| matches!(packet, Packet::Publish(p) if p.qos == QoS::AtLeastOnce))
            );
            world.drop_connection(reader);
        }
        let reader = back(&mut world, version);
        world.send(reader, puback(id(1)));
        world.send(reader, puback(id(3)));
        world.drop_connection(reader);
        let reader = back(&mut world, version);
        assert!(world.received(reader).is_empty(), "{version:?}");
    }
}

/// [MQTT-4.4.0-1] in 5.0, [MQTT-4.3.3-1] in 5.0, [MQTT-4.3.3-2] in 5.0, [MQTT-4.3.3-3] in 5.0, [MQTT-4.3.3-4] in 5.0,
/// [MQTT-4.3.3-5] in 5.0, [MQTT-4.3.3-6] in 5.0, [MQTT-4.4.0-1] in 3.1.1, [MQTT-4.3.3-1] in 3.1.1: trap 2. A QoS 2
/// conversation goes on where it was: the PUBLISH again before its PUBREC, the PUBREL alone after it.
#[test]
fn v5_4_3_3_5_qos_2_goes_on_from_its_step() {
    for version in Version::ALL {
        let (mut world, reader, editor) = house(version);
        for payload in ["a", "b", "c"] {
            tell(&mut world, editor, payload, QoS::ExactlyOnce);
        }
        assert_eq!(heard(&mut world, reader), ["1 a", "2 b", "3 c"], "{version:?}");
        world.send(reader, pubrec(id(1)));
        world.send(reader, pubrec(id(2)));
        world.send(reader, pubcomp(id(1)));
        assert_eq!(heard(&mut world, reader), ["R1", "R2"], "{version:?}");
        world.drop_connection(reader);

        for _ in 0..2 {
            let reader = back(&mut world, version);
            assert_eq!(heard(&mut world, reader), ["R2", "3! c"], "{version:?}");
            world.drop_connection(reader);
        }
        let reader = back(&mut world, version);
        world.received(reader);
        world.send(reader, pubcomp(id(2)));
        world.send(reader, pubrec(id(3)));
        assert_eq!(heard(&mut world, reader), ["R3"], "{version:?}");
        world.send(reader, pubcomp(id(3)));
        world.drop_connection(reader);
        let reader = back(&mut world, version);
        assert!(world.received(reader).is_empty(), "{version:?}");
        assert_eq!(world.counters().inflight, 0);
    }
}

/// [MQTT-4.4.0-1] in 5.0: nothing is sent again on a connection that lasts, however long the answer takes.
#[test]
fn v5_4_4_0_1_nothing_is_resent_while_connected() {
    let (mut world, reader, editor) = house(V5);
    tell(&mut world, editor, "a", QoS::AtLeastOnce);
    tell(&mut world, editor, "b", QoS::ExactlyOnce);
    tell(&mut world, editor, "c", QoS::ExactlyOnce);
    world.send(reader, pubrec(id(3)));
    assert_eq!(heard(&mut world, reader), ["1 a", "2 b", "3 c", "R3"]);
    for _ in 0..24 {
        world.pass(secs(3600));
        world.send(reader, Packet::Pingreq);
        let received = world.received(reader);
        assert!(matches!(received[..], [Packet::Pingresp]), "{received:?}");
    }
}

/// [MQTT-4.6.0-1] in 3.1.1, [MQTT-4.6.0-5] in 3.1.1, [MQTT-4.6.0-6] in 5.0: what is resent comes in its first order,
/// before what waited, before what comes next.
#[test]
fn v311_4_6_0_1_resent_then_queued_then_live_in_order() {
    for version in Version::ALL {
        let (mut world, reader, editor) = house(version);
        for (payload, qos) in [
            ("a", QoS::AtLeastOnce),
            ("b", QoS::ExactlyOnce),
            ("c", QoS::AtLeastOnce),
        ] {
            tell(&mut world, editor, payload, qos);
        }
        world.drop_connection(reader);
        for payload in ["d", "e"] {
            tell(&mut world, editor, payload, QoS::AtLeastOnce);
        }
        let reader = back(&mut world, version);
        tell(&mut world, editor, "f", QoS::AtLeastOnce);
        assert_eq!(
            heard(&mut world, reader),
            ["1! a", "2! b", "3! c", "4 d", "5 e", "6 f"],
            "{version:?}"
        );
    }
}

/// [MQTT-4.3.2-1] in 5.0, [MQTT-4.3.3-1] in 5.0, [MQTT-2.3.1-3] in 3.1.1, [MQTT-2.3.1-4] in 3.1.1: trap 7. After a resume
/// no new message takes a packet id that an open conversation has, whether its PUBLISH or its PUBREL is owed.
#[test]
fn v5_4_3_2_1_packet_ids_in_flight_are_not_given_out_again() {
    for version in [V311, V5] {
        let (mut world, reader, editor) = house(version);
        for payload in ["a", "b", "c", "d"] {
            tell(&mut world, editor, payload, QoS::ExactlyOnce);
        }
        world.send(reader, pubrec(id(2)));
        world.send(reader, pubrec(id(3)));
        world.send(reader, pubcomp(id(3)));
        let mut open = vec![1, 2, 4];
        for _ in 0..3 {
            let reader = back(&mut world, version);
            world.received(reader);
            for _ in 0..5 {
                tell(&mut world, editor, "more", QoS::AtLeastOnce);
                let fresh = world.publishes(reader)[0].packet_id.unwrap().get();
                assert!(!open.contains(&fresh), "{version:?}: {fresh} is one of {open:?}");
                open.push(fresh);
            }
        }
    }
}

/// [MQTT-4.3.2-1] in 5.0, [MQTT-2.3.1-4] in 3.1.1: after 65,535 the ids begin again at 1, past those still in use.
#[test]
fn v5_4_3_2_1_packet_ids_wrap_past_those_in_use() {
    let (mut world, reader, editor) = house(V5);
    tell(&mut world, editor, "kept open", QoS::ExactlyOnce);
    assert_eq!(heard(&mut world, reader), ["1 kept open"]);
    world.send(reader, pubrec(id(1)));
    world.received(reader);
    let mut seen = vec![false; 65_536];
    for _ in 0..65_534 {
        tell(&mut world, editor, "x", QoS::AtLeastOnce);
        let publish = world.publishes(reader).remove(0);
        let number = usize::from(publish.packet_id.unwrap().get());
        assert!(number > 1 && !seen[number], "{number} again");
        seen[number] = true;
        world.acknowledge(reader, &publish);
        world.received(editor);
    }
    // All others were used once; the oldest conversation is open and keeps the next id from being given out.
    tell(&mut world, editor, "waits", QoS::AtLeastOnce);
    assert!(world.publishes(reader).is_empty());
    world.send(reader, pubcomp(id(1)));
    let numbers: Vec<u16> = world
        .publishes(reader)
        .iter()
        .map(|publish| publish.packet_id.unwrap().get())
        .collect();
    assert_eq!(numbers.len(), 1);
    assert_ne!(numbers[0], 0);
}

/// [MQTT-4.9.0-1] in 5.0, [MQTT-4.9.0-2] in 5.0: trap 6. A new connection starts with a whole quota, which resent
/// messages use up and their acknowledgements give back.
#[test]
fn v5_4_9_0_1_the_send_quota_is_whole_on_a_new_connection() {
    let mut world = World::new();
    let connect = |world: &mut World, max: u16| world.client("reader").persistent().receive_maximum(max).connect();
    let reader = connect(&mut world, 3);
    world.subscribe(reader, "news", QoS::ExactlyOnce);
    let editor = world.client("editor").connect();
    for payload in ["a", "b", "c", "d", "e"] {
        tell(&mut world, editor, payload, QoS::AtLeastOnce);
    }
    assert_eq!(heard(&mut world, reader), ["1 a", "2 b", "3 c"]);
    for _ in 0..5 {
        let reader = connect(&mut world, 3);
        assert_eq!(heard(&mut world, reader), ["1! a", "2! b", "3! c"]);
    }
    let reader = connect(&mut world, 4);
    assert_eq!(heard(&mut world, reader), ["1! a", "2! b", "3! c", "4 d"]);
    world.send(reader, puback(id(1)));
    assert_eq!(heard(&mut world, reader), ["5 e"]);
}

/// [MQTT-4.9.0-2] in 5.0, [MQTT-4.4.0-1] in 5.0: where the new connection takes fewer at a time, the rest of what is owed
/// waits its turn, and keeps its ids and order.
#[test]
fn v5_4_9_0_2_resending_keeps_a_smaller_receive_maximum() {
    let (mut world, reader, editor) = house(V5);
    for payload in ["a", "b", "c", "d"] {
        tell(&mut world, editor, payload, QoS::ExactlyOnce);
    }
    world.send(reader, pubrec(id(3)));
    world.drop_connection(reader);
    tell(&mut world, editor, "e", QoS::AtLeastOnce);

    let reader = world.client("reader").persistent().receive_maximum(1).connect();
    assert_eq!(heard(&mut world, reader), ["1! a"]);
    world.send(reader, pubrec(id(1)));
    assert_eq!(heard(&mut world, reader), ["R1"], "not acknowledged to the end");
    world.send(reader, pubcomp(id(1)));
    assert_eq!(
        heard(&mut world, reader),
        ["2! b", "R3"],
        "a PUBREL takes nothing of the quota"
    );
    world.send(reader, pubrec(id(2)));
    world.send(reader, pubcomp(id(2)));
    assert_eq!(heard(&mut world, reader), ["R2", "4! d"]);
    world.send(reader, pubrec(id(4)));
    world.send(reader, pubcomp(id(4)));
    assert_eq!(heard(&mut world, reader), ["R4", "5 e"]);
}

/// [MQTT-4.4.0-2] in 5.0: an error in PUBACK or PUBREC is an answer; the message does not come again.
#[test]
fn v5_4_4_0_2_a_message_refused_by_the_client_is_not_resent() {
    let (mut world, reader, editor) = house(V5);
    tell(&mut world, editor, "a", QoS::AtLeastOnce);
    tell(&mut world, editor, "b", QoS::ExactlyOnce);
    tell(&mut world, editor, "c", QoS::ExactlyOnce);
    world.received(reader);
    world.send(reader, Packet::Puback(Puback::new(id(1), PubackReason::QuotaExceeded)));
    world.send(
        reader,
        Packet::Pubrec(Pubrec::new(id(2), PubrecReason::UnspecifiedError)),
    );
    assert!(heard(&mut world, reader).is_empty(), "no PUBREL for an error");
    world.drop_connection(reader);
    let reader = back(&mut world, V5);
    assert_eq!(heard(&mut world, reader), ["3! c"]);
}

/// [MQTT-4.3.3-7] in 5.0: a QoS 2 message whose time ran out after it was sent is still owed, and finished.
#[test]
fn v5_4_3_3_7_a_message_that_was_sent_does_not_expire() {
    let (mut world, reader, editor) = house(V5);
    let properties = PublishProperties {
        message_expiry_secs: Some(5),
        ..PublishProperties::default()
    };
    for number in 1..=2 {
        let message = Publish {
            packet_id: Some(id(number)),
            properties: Some(Box::new(properties.clone())),
            ..publish("news", "short-lived", QoS::ExactlyOnce)
        };
        world.send(editor, Packet::Publish(message));
    }
    world.send(reader, pubrec(id(2)));
    world.drop_connection(reader);
    world.pass(secs(60));
    let reader = back(&mut world, V5);
    assert_eq!(heard(&mut world, reader), ["1! short-lived", "R2"]);
    world.send(reader, pubrec(id(1)));
    assert_eq!(heard(&mut world, reader), ["R1"]);
}

/// [MQTT-4.3.3-4] in 5.0: a PUBREC that comes twice is answered twice, because the PUBREL may have been lost.
#[test]
fn v5_4_3_3_4_pubrec_again_is_answered_again() {
    for version in Version::ALL {
        let (mut world, reader, editor) = house(version);
        tell(&mut world, editor, "a", QoS::ExactlyOnce);
        world.send(reader, pubrec(id(1)));
        let reader = back(&mut world, version);
        assert_eq!(heard(&mut world, reader), ["R1"], "{version:?}");
        world.send(reader, pubrec(id(1)));
        assert_eq!(heard(&mut world, reader), ["R1"], "{version:?}");
        world.send(reader, pubcomp(id(1)));
        assert_eq!(world.counters().inflight, 0, "{version:?}");
    }
}

/// [MQTT-3.1.2-25] in 5.0: what the new connection cannot take is dropped as if it had been delivered, and does not keep
/// the rest back.
#[test]
fn v5_3_1_2_25_a_resent_message_that_is_too_large_for_the_new_connection() {
    let (mut world, _, editor) = house(V5);
    tell(&mut world, editor, &"long ".repeat(50), QoS::AtLeastOnce);
    tell(&mut world, editor, "short", QoS::AtLeastOnce);
    let reader = world.client("reader").persistent().packet_size_max(100).connect();
    assert_eq!(heard(&mut world, reader), ["2! short"]);
    assert_eq!(world.counters().inflight, 1);
}

/// [MQTT-3.10.4-3] in 5.0, [MQTT-3.10.4-3] in 3.1.1: what was under way when its subscription went is owed nonetheless.
#[test]
fn v5_3_10_4_3_an_open_conversation_outlives_its_subscription() {
    for version in Version::ALL {
        let (mut world, reader, editor) = house(version);
        tell(&mut world, editor, "a", QoS::AtLeastOnce);
        tell(&mut world, editor, "b", QoS::ExactlyOnce);
        world.send(reader, pubrec(id(2)));
        world.send(reader, crate::world::packets::unsubscribe(9, "news/#"));
        world.drop_connection(reader);
        tell(&mut world, editor, "c", QoS::AtLeastOnce);
        let reader = back(&mut world, version);
        assert_eq!(heard(&mut world, reader), ["1! a", "R2"], "{version:?}");
    }
}

/// [MQTT-4.4.0-1] in 5.0: resending waits for a reader who is slow, and then goes on to the end in its order.
#[test]
fn v5_4_4_0_1_resending_goes_at_the_readers_pace() {
    let mut world = World::limited(|limits| limits.out_bytes_max = 2000);
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "news", QoS::AtLeastOnce);
    let editor = world.client("editor").connect();
    for number in 0..30 {
        tell(&mut world, editor, &format!("{number:0200}"), QoS::AtLeastOnce);
    }
    world.drop_connection(reader);
    world.received(reader);

    let reader = back(&mut world, V5);
    world.stall(reader, true);
    let numbers: Vec<u16> = world
        .publishes(reader)
        .iter()
        .map(|publish| publish.packet_id.unwrap().get())
        .collect();
    assert_eq!(numbers, (1..=30).collect::<Vec<u16>>(), "each once");
}
