//! Topic aliases in both directions. Only 5.0 has them.

use std::num::NonZeroU16;

use mqtt_codec::{DisconnectReason, Packet, Publish, PublishProperties, QoS, TopicName};

use crate::world::packets::{id, puback, publish};
use crate::world::{Client, World};

/// A PUBLISH with this alias; an empty name leaves the topic to the alias.
fn aliased(name: &str, alias: u16, payload: &str) -> Packet {
    let topic_alias = NonZeroU16::new(alias);
    let properties = Some(Box::new(PublishProperties {
        topic_alias,
        ..PublishProperties::default()
    }));
    let topic = TopicName::new(name.to_owned()).unwrap_or_else(|_| TopicName::empty());
    Packet::Publish(Publish {
        topic,
        properties,
        ..publish("-", payload, QoS::AtMostOnce)
    })
}

/// What a client got, as topic and alias.
fn seen(world: &mut World, client: Client) -> Vec<(String, Option<u16>)> {
    let of = |got: &Publish| (got.topic.as_str().to_owned(), got.topic_alias().map(NonZeroU16::get));
    world.publishes(client).iter().map(of).collect()
}

/// [MQTT-3.3.2-12] in 5.0: every number up to the maximum in CONNACK can be given a topic and used.
#[test]
fn v5_3_3_2_12_every_alias_up_to_the_maximum_is_accepted() {
    let mut world = World::limited(|limits| limits.alias_max = 3);
    let reader = world.client("reader").connect();
    world.subscribe(reader, "#", QoS::AtMostOnce);
    let (sender, connack) = world.client("sender").connect_with_connack();
    assert_eq!(connack.properties.topic_alias_max, Some(3));

    for alias in 1..=3 {
        world.send(sender, aliased(&format!("topic/{alias}"), alias, ""));
    }
    for alias in [3, 1, 2] {
        world.send(sender, aliased("", alias, ""));
    }
    let topics: Vec<String> = seen(&mut world, reader).into_iter().map(|(topic, _)| topic).collect();
    assert_eq!(
        topics,
        ["topic/1", "topic/2", "topic/3", "topic/3", "topic/1", "topic/2"]
    );
}

/// An alias can be given another topic, and a message without an alias leaves it alone.
#[test]
fn an_alias_can_be_given_another_topic() {
    let mut world = World::new();
    let reader = world.client("reader").connect();
    world.subscribe(reader, "#", QoS::AtMostOnce);
    let sender = world.client("sender").connect();
    world.send(sender, aliased("old", 1, ""));
    world.send(sender, aliased("new", 1, ""));
    world.publish(sender, "other", "", QoS::AtMostOnce);
    world.send(sender, aliased("", 1, ""));
    let topics: Vec<String> = seen(&mut world, reader).into_iter().map(|(topic, _)| topic).collect();
    assert_eq!(topics, ["old", "new", "other", "new"]);
}

/// [MQTT-3.3.2-9] in 5.0, [MQTT-3.2.2-17] in 5.0, [MQTT-3.2.2-18] in 5.0: a number above the maximum ends the
/// connection, as does any number where none is allowed.
#[test]
fn v5_3_3_2_9_an_alias_above_the_maximum_ends_the_connection() {
    for max in [0, 3] {
        let mut world = World::limited(|limits| limits.alias_max = max);
        let reader = world.client("reader").connect();
        world.subscribe(reader, "#", QoS::AtMostOnce);
        let sender = world.client("sender").connect();
        world.send(sender, aliased("topic", max + 1, ""));
        assert_eq!(world.goodbye(sender), Some(DisconnectReason::TopicAliasInvalid));
        assert_eq!(seen(&mut world, reader), []);
    }
}

/// [MQTT-3.3.2-8] in 5.0: 0 is no alias.
#[test]
fn v5_3_3_2_8_alias_0_ends_the_connection() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    world.send_bytes(sender, &[0x30, 7, 0, 1, b'a', 3, 0x23, 0, 0]);
    assert_eq!(world.goodbye(sender), Some(DisconnectReason::TopicAliasInvalid));
}

/// [MQTT-4.13.1-1] in 5.0: an alias that stands for nothing is a protocol error.
#[test]
fn v5_4_13_1_1_an_alias_without_a_topic_ends_the_connection() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    world.send(sender, aliased("topic", 1, ""));
    world.send(sender, aliased("", 2, ""));
    assert_eq!(world.goodbye(sender), Some(DisconnectReason::ProtocolError));
}

/// [MQTT-3.3.2-7] in 5.0: aliases of the client die with their connection, though the session stays.
#[test]
fn v5_3_3_2_7_the_clients_aliases_die_with_the_connection() {
    let mut world = World::new();
    let sender = world.client("sender").persistent().connect();
    world.send(sender, aliased("topic", 1, ""));
    world.drop_connection(sender);

    let sender = world.client("sender").persistent().connect();
    world.send(sender, aliased("", 1, ""));
    assert_eq!(world.goodbye(sender), Some(DisconnectReason::ProtocolError));
}

/// [MQTT-3.3.2-7] in 5.0, [MQTT-4.4.0-1] in 5.0: so do the broker's; a repeat names its topic again.
#[test]
fn v5_3_3_2_7_the_brokers_aliases_die_with_the_connection() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    let reader = world.client("reader").persistent().topic_alias_max(5).connect();
    world.subscribe(reader, "news", QoS::AtLeastOnce);
    world.publish(sender, "news", "1", QoS::AtLeastOnce);
    world.publish(sender, "news", "2", QoS::AtLeastOnce);
    assert_eq!(
        seen(&mut world, reader),
        [("news".to_owned(), Some(1)), (String::new(), Some(1))]
    );
    world.drop_connection(reader);

    let reader = world.client("reader").persistent().connect();
    assert_eq!(
        seen(&mut world, reader),
        [("news".to_owned(), None), ("news".to_owned(), None)]
    );
    world.drop_connection(reader);

    let reader = world.client("reader").persistent().topic_alias_max(5).connect();
    assert_eq!(
        seen(&mut world, reader),
        [("news".to_owned(), Some(1)), (String::new(), Some(1))]
    );
}

/// [MQTT-3.1.2-26] in 5.0, [MQTT-3.3.2-11] in 5.0: the broker gives out no more numbers than the client allows; the topic
/// goes with the first use, and topics without a number go in full.
#[test]
fn v5_3_1_2_26_the_broker_keeps_to_the_clients_maximum() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    let reader = world.client("reader").topic_alias_max(2).connect();
    world.subscribe(reader, "#", QoS::ExactlyOnce);
    for topic in ["a", "b", "c", "a", "b", "c"] {
        world.publish(sender, topic, "", QoS::AtMostOnce);
    }
    let full = |topic: &str, alias| (topic.to_owned(), alias);
    let expected = [
        full("a", Some(1)),
        full("b", Some(2)),
        full("c", None),
        full("", Some(1)),
        full("", Some(2)),
        full("c", None),
    ];
    assert_eq!(seen(&mut world, reader), expected);
}

/// [MQTT-3.1.2-27] in 5.0: a client that allows none, or does not say, gets none.
#[test]
fn v5_3_1_2_27_without_a_maximum_there_are_no_aliases() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    let silent = world.client("silent").connect();
    let zero = world.client("zero").topic_alias_max(0).connect();
    for reader in [silent, zero] {
        world.subscribe(reader, "news", QoS::AtLeastOnce);
    }
    for _ in 0..2 {
        world.publish(sender, "news", "", QoS::AtMostOnce);
    }
    for reader in [silent, zero] {
        assert_eq!(
            seen(&mut world, reader),
            [("news".to_owned(), None), ("news".to_owned(), None)]
        );
    }
}

/// [MQTT-3.1.2-27] in 5.0: the publisher's alias is its own affair: it reaches nobody, at once or through a queue.
#[test]
fn v5_3_1_2_27_the_publishers_alias_is_not_forwarded() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    let plain: Vec<Client> = ["a", "b", "c"].map(|id| world.client(id).connect()).into();
    let own = world.client("own").topic_alias_max(9).connect();
    let away = world.client("away").persistent().connect();
    for reader in plain.iter().chain([&own, &away]) {
        world.subscribe(*reader, "news", QoS::AtLeastOnce);
    }
    world.drop_connection(away);

    for name in ["news", ""] {
        let Packet::Publish(packet) = aliased(name, 7, "n") else {
            panic!("a PUBLISH")
        };
        world.send(
            sender,
            Packet::Publish(Publish {
                qos: QoS::AtLeastOnce,
                packet_id: Some(id(1)),
                ..packet
            }),
        );
    }
    assert_eq!(world.received(sender), [puback(id(1)), puback(id(1))]);

    let back = world.client("away").persistent().connect();
    for reader in plain.into_iter().chain([back]) {
        assert_eq!(
            seen(&mut world, reader),
            [("news".to_owned(), None), ("news".to_owned(), None)]
        );
    }
    assert_eq!(
        seen(&mut world, own),
        [("news".to_owned(), Some(1)), (String::new(), Some(1))]
    );
}

/// A packet that was left out for its size gives out no number: the client has never seen it.
#[test]
fn a_message_that_is_left_out_gives_out_no_alias() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    let reader = world.client("reader").topic_alias_max(2).packet_size_max(64).connect();
    world.subscribe(reader, "news", QoS::AtMostOnce);
    world.publish(sender, "news", &"x".repeat(100), QoS::AtMostOnce);
    world.publish(sender, "news", "n", QoS::AtMostOnce);
    assert_eq!(seen(&mut world, reader), [("news".to_owned(), Some(1))]);
}
