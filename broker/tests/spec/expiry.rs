//! Message Expiry Interval: counted down, and the end of what waited too long.

use broker::counters::Drop;
use mqtt_codec::{Packet, Publish, PublishProperties, QoS};

use crate::world::packets::{id, pubcomp, publish, publish_as, pubrec, pubrel};
use crate::world::{World, millis, secs};

fn with_expiry(publish: Publish, expiry_secs: u32) -> Publish {
    let properties = PublishProperties {
        message_expiry_secs: Some(expiry_secs),
        ..PublishProperties::default()
    };
    Publish {
        properties: Some(Box::new(properties)),
        ..publish
    }
}

fn expiry_of(publish: &Publish) -> Option<u32> {
    publish
        .properties
        .as_ref()
        .and_then(|properties| properties.message_expiry_secs)
}

/// [MQTT-3.3.2-6] in 5.0: the time that a message waited is taken off its expiry.
#[test]
fn v5_3_3_2_6_expiry_counts_down_while_a_message_waits() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "news", QoS::AtLeastOnce);
    world.drop_connection(reader);

    world.send(
        sender,
        Packet::Publish(with_expiry(publish("news", "short", QoS::AtLeastOnce), 10)),
    );
    world.publish(sender, "news", "for ever", QoS::AtLeastOnce);
    world.pass(secs(3));

    let reader = world.client("reader").persistent().connect();
    let got = world.publishes(reader);
    assert_eq!(got.iter().map(expiry_of).collect::<Vec<_>>(), [Some(7), None]);
}

/// [MQTT-3.3.2-6] in 5.0: a retained message grows old as well.
#[test]
fn v5_3_3_2_6_a_retained_message_counts_down() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    let note = Publish {
        retain: true,
        ..publish("notes", "n", QoS::AtMostOnce)
    };
    world.send(sender, Packet::Publish(with_expiry(note, 10)));

    world.pass(millis(9_999));
    let reader = world.client("reader").connect();
    world.subscribe(reader, "notes", QoS::AtMostOnce);
    assert_eq!(
        world.publishes(reader).iter().map(expiry_of).collect::<Vec<_>>(),
        [Some(1)]
    );

    world.pass(millis(1));
    world.subscribe(reader, "notes", QoS::AtMostOnce);
    assert_eq!(world.payloads(reader), [""; 0]);
}

/// [MQTT-3.3.2-5] in 5.0: what nobody began to deliver in its time is deleted and counted.
#[test]
fn v5_3_3_2_5_an_expired_message_is_not_delivered() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "news", QoS::ExactlyOnce);
    world.drop_connection(reader);
    for (id, qos) in [(1, QoS::AtLeastOnce), (2, QoS::ExactlyOnce)] {
        world.send(
            sender,
            Packet::Publish(with_expiry(publish_as(id, "news", "old", qos), 2)),
        );
    }
    world.send(
        sender,
        Packet::Publish(with_expiry(publish_as(3, "news", "fresh", QoS::AtLeastOnce), 4)),
    );

    world.pass(secs(2));
    let reader = world.client("reader").persistent().connect();
    assert_eq!(world.payloads(reader), ["fresh"]);
    assert_eq!(world.counters().dropped[Drop::Expired as usize], 2);
}

/// [MQTT-3.3.2-5] in 5.0: the same while a connected client's window is used up.
#[test]
fn v5_3_3_2_5_a_message_expires_behind_a_full_window() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    let reader = world.client("reader").receive_maximum(1).connect();
    world.subscribe(reader, "news", QoS::AtLeastOnce);
    for payload in ["first", "second", "third"] {
        let expiry = if payload == "second" { 1 } else { 100 };
        world.send(
            sender,
            Packet::Publish(with_expiry(publish("news", payload, QoS::AtLeastOnce), expiry)),
        );
    }
    let first = world.publishes(reader).remove(0);
    world.pass(secs(1));
    world.acknowledge(reader, &first);
    assert_eq!(world.payloads(reader), ["third"]);
}

/// [MQTT-4.3.3-13] in 5.0: the handshake of a QoS 2 message goes on when its message has expired.
#[test]
fn v5_4_3_3_13_expiry_does_not_cut_the_handshake_short() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "news", QoS::ExactlyOnce);
    world.drop_connection(reader);

    world.send(
        sender,
        Packet::Publish(with_expiry(publish("news", "n", QoS::ExactlyOnce), 1)),
    );
    let id = id(1);
    assert_eq!(world.received(sender), [pubrec(id)]);
    world.pass(secs(2));
    world.send(sender, pubrel(id));
    assert_eq!(world.received(sender), [pubcomp(id)]);
}
