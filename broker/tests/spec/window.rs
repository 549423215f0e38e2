//! Receive Maximum in both directions: how many QoS 1 and 2 messages are under way at once.

use std::num::NonZeroU16;

use mqtt_codec::{DisconnectReason, Packet, PacketId, Publish, Pubrec, PubrecReason, QoS, SubackReason, Version};

use crate::world::packets::{id, pubcomp, publish_as, pubrec, pubrel, subscribe};
use crate::world::{Client, World};

/// A sender, and a reader of `news` at QoS 2 that takes two messages at once.
fn narrow() -> (World, Client, Client) {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    let reader = world.client("reader").persistent().receive_maximum(2).connect();
    world.subscribe(reader, "news", QoS::ExactlyOnce);
    (world, sender, reader)
}

fn send_many(world: &mut World, sender: Client, qos: QoS, texts: &[&str]) {
    for (number, text) in (1..).zip(texts) {
        world.send(sender, Packet::Publish(publish_as(number, "news", text, qos)));
        world.send(sender, pubrel(id(number)));
    }
}

/// [MQTT-3.3.4-9] in 5.0, [MQTT-4.9.0-1] in 5.0, [MQTT-4.9.0-2] in 5.0: never more than Receive Maximum at once; each
/// PUBACK lets one more out.
#[test]
fn v5_3_3_4_9_receive_maximum_is_kept_at_qos_1() {
    let (mut world, sender, reader) = narrow();
    for text in ["1", "2", "3", "4", "5"] {
        world.publish(sender, "news", text, QoS::AtLeastOnce);
    }
    let got = world.publishes(reader);
    assert_eq!(
        got.iter().map(|got| got.payload.as_ref()).collect::<Vec<_>>(),
        [b"1", b"2"]
    );
    world.acknowledge(reader, &got[0]);
    assert_eq!(world.payloads(reader), ["3"]);
    world.acknowledge(reader, &got[1]);
    assert_eq!(world.payloads(reader), ["4"]);
    // An acknowledgement that comes twice gives no second place.
    world.acknowledge(reader, &got[1]);
    assert_eq!(world.payloads(reader), [""; 0]);
}

/// [MQTT-3.3.4-9] in 5.0: at QoS 2 it is PUBCOMP, or PUBREC with an error, that makes room, and PUBREC alone does not.
#[test]
fn v5_3_3_4_9_receive_maximum_is_kept_at_qos_2() {
    let (mut world, sender, reader) = narrow();
    send_many(&mut world, sender, QoS::ExactlyOnce, &["1", "2", "3", "4"]);
    let got = world.publishes(reader);
    let [one, two] = [0, 1].map(|place| got[place].packet_id.unwrap());
    world.send(reader, pubrec(one));
    assert_eq!(world.received(reader), [pubrel(one)]);
    world.send(reader, pubcomp(one));
    assert_eq!(world.payloads(reader), ["3"]);
    world.send(reader, Packet::Pubrec(Pubrec::new(two, PubrecReason::QuotaExceeded)));
    assert_eq!(world.payloads(reader), ["4"]);
}

/// [MQTT-3.3.4-10] in 5.0, [MQTT-4.9.0-3] in 5.0: while nothing more may go out at QoS 1 and 2, all else does.
#[test]
fn v5_4_9_0_3_a_used_up_window_delays_nothing_else() {
    let (mut world, sender, reader) = narrow();
    for text in ["1", "2", "3"] {
        world.publish(sender, "news", text, QoS::AtLeastOnce);
    }
    assert_eq!(world.publishes(reader).len(), 2);

    world.send(reader, Packet::Pingreq);
    assert_eq!(world.received(reader), [Packet::Pingresp]);
    let suback = world.subscribe_with(reader, subscribe(2, "flash", QoS::AtMostOnce));
    assert_eq!(suback.reasons, [SubackReason::GrantedQoS0]);
    world.publish(sender, "flash", "now", QoS::AtLeastOnce);
    world.publish(sender, "news", "now too", QoS::AtMostOnce);
    assert_eq!(world.payloads(reader), ["now", "now too"]);
    world.send(reader, Packet::Publish(publish_as(9, "answers", "", QoS::ExactlyOnce)));
    assert!(matches!(world.received(reader)[..], [Packet::Pubrec(_)]));
}

/// [MQTT-4.9.0-1] in 5.0: another connection begins with a whole quota, which the repeats use first.
#[test]
fn v5_4_9_0_1_the_quota_is_whole_on_another_connection() {
    let (mut world, sender, reader) = narrow();
    for text in ["1", "2", "3", "4"] {
        world.publish(sender, "news", text, QoS::AtLeastOnce);
    }
    world.drop_connection(reader);
    let reader = world.client("reader").persistent().receive_maximum(3).connect();
    let got = world.publishes(reader);
    assert_eq!(got.iter().map(|got| got.dup).collect::<Vec<_>>(), [true, true, false]);
    world.drop_connection(reader);

    // A smaller window than there are repeats: they wait their turn, and nothing overtakes them.
    let reader = world.client("reader").persistent().receive_maximum(1).connect();
    let mut texts = Vec::new();
    while let Some(got) = world.publishes(reader).pop() {
        texts.push(String::from_utf8_lossy(&got.payload).into_owned());
        world.acknowledge(reader, &got);
    }
    assert_eq!(texts, ["1", "2", "3", "4"]);
    assert_eq!(world.counters().inflight, 0);
}

/// [MQTT-3.3.4-9] in 5.0, [MQTT-3.3.4-10] in 5.0: an owed PUBREL is not held back by the repeats before it.
#[test]
fn v5_3_3_4_10_an_owed_pubrel_waits_for_no_quota() {
    let (mut world, sender, reader) = narrow();
    send_many(&mut world, sender, QoS::ExactlyOnce, &["1", "2"]);
    let got = world.publishes(reader);
    let second = got[1].packet_id.unwrap();
    world.send(reader, pubrec(second));
    world.drop_connection(reader);

    let reader = world.client("reader").persistent().receive_maximum(1).connect();
    let first = Packet::Publish(Publish {
        dup: true,
        ..got[0].clone()
    });
    assert_eq!(world.received(reader), [first, pubrel(second)]);
}

/// A client of 3.1.1 cannot say how much it takes; the broker keeps to a setting.
#[test]
fn a_client_of_3_1_1_has_the_window_of_the_setting() {
    let mut world = World::limited(|limits| limits.inflight_max_v3 = 2);
    let sender = world.client("sender").connect();
    let reader = world.client("reader").version(Version::V311).connect();
    world.subscribe(reader, "news", QoS::AtLeastOnce);
    for text in ["1", "2", "3"] {
        world.publish(sender, "news", text, QoS::AtLeastOnce);
    }
    assert_eq!(world.payloads(reader), ["1", "2"]);
}

/// [MQTT-3.3.4-7] in 5.0: a client that has more QoS 2 messages open than CONNACK allows is told 0x93.
#[test]
fn v5_3_3_4_7_a_client_beyond_receive_maximum_is_disconnected() {
    let mut world = World::limited(|limits| limits.receive_max = 2);
    let (sender, connack) = world.client("sender").connect_with_connack();
    assert_eq!(connack.properties.receive_maximum, NonZeroU16::new(2));
    for number in [1, 2] {
        world.send(
            sender,
            Packet::Publish(publish_as(number, "news", "", QoS::ExactlyOnce)),
        );
    }
    world.send(sender, pubrel(id(1)));
    world.send(sender, Packet::Publish(publish_as(3, "news", "", QoS::ExactlyOnce)));
    assert!(world.is_connected(sender));
    // A repeat is no further message.
    world.send(
        sender,
        Packet::Publish(Publish {
            dup: true,
            ..publish_as(2, "news", "", QoS::ExactlyOnce)
        }),
    );
    assert!(world.is_connected(sender));

    world.send(sender, Packet::Publish(publish_as(4, "news", "", QoS::ExactlyOnce)));
    assert_eq!(world.goodbye(sender), Some(DisconnectReason::ReceiveMaximumExceeded));
}

/// [MQTT-4.9.0-1] in 5.0: the broker grants no more than it takes, so that a client which keeps to it is never ended.
#[test]
fn v5_4_9_0_1_the_granted_window_is_the_one_that_is_kept() {
    let mut world = World::limited(|limits| limits.qos2_pending_max = 3);
    let (sender, connack) = world.client("sender").connect_with_connack();
    let granted = connack.properties.receive_maximum.map_or(u16::MAX, NonZeroU16::get);
    for number in 1..=granted.min(10) {
        world.send(
            sender,
            Packet::Publish(publish_as(number, "news", "", QoS::ExactlyOnce)),
        );
        assert!(world.is_connected(sender), "{number} of {granted} messages");
    }
}

/// [MQTT-2.2.1-4] in 5.0, [MQTT-4.3.2-1] in 5.0, [MQTT-2.3.1-4] in 3.1.1, [MQTT-4.3.2-1] in 3.1.1: the ids go round past
/// one that stays in use.
#[test]
fn v5_2_2_1_4_packet_ids_go_round_past_those_in_use() {
    for version in [Version::V311, Version::V5] {
        let mut world = World::new();
        let sender = world.client("sender").connect();
        let reader = world.client("reader").version(version).connect();
        world.subscribe(reader, "news", QoS::AtLeastOnce);
        world.publish(sender, "news", "kept", QoS::AtLeastOnce);
        let mut kept = world.publishes(reader).remove(0);
        for round in 0..70_000_u32 {
            world.publish(sender, "news", "n", QoS::AtLeastOnce);
            let Some(got) = world.publishes(reader).pop() else {
                // No number is left but the one in use.
                assert_eq!(round, 65_534);
                break;
            };
            assert_ne!(got.packet_id, kept.packet_id);
            world.acknowledge(reader, &got);
        }
        world.acknowledge(reader, &kept);
        kept = world.publishes(reader).remove(0);
        assert_eq!(kept.packet_id, Some(PacketId::MIN));
        world.received(sender);
    }
}
