//! PUBLISH in both directions: what is passed on, what is checked, and what is too large.

use std::num::NonZeroU16;

use broker::counters::Drop;
use broker::effect::Cause;
use mqtt_codec::{DisconnectReason, Packet, Publish, PublishProperties, QoS, RetainHandling, SubscriptionId, Version};

use crate::world::packets::{publish, publish_as, subscribe, topic};
use crate::world::{Client, World};

const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
const BOTH: [Version; 2] = [Version::V311, Version::V5];

/// Everything that a publisher may say of its message.
fn all_properties() -> PublishProperties {
    PublishProperties {
        payload_format: Some(true),
        message_expiry_secs: Some(600),
        topic_alias: None,
        response_topic: Some(topic("answers/here")),
        correlation_data: Some(vec![0, 1, 255].into()),
        user_properties: [("b", "1"), ("a", "2"), ("b", "1"), ("", "")]
            .map(|(k, v)| (k.into(), v.into()))
            .into(),
        subscription_ids: Vec::new(),
        content_type: Some("text/plain".into()),
    }
}

#[test]
fn a_message_reaches_a_subscriber_on_another_line() {
    let mut world = World::new();
    let sensor = world.client("sensor").connect();
    for id in ["a", "b", "c", "d"] {
        let reader = world.client(id).connect();
        world.subscribe(reader, "weather/+", QoS::AtMostOnce);
        world.publish(sensor, "weather/oslo", "rain", QoS::AtMostOnce);
        assert_eq!(world.payloads(reader), ["rain"]);
    }
}

/// [MQTT-3.3.2-4] in 5.0, [MQTT-3.3.2-15] in 5.0, [MQTT-3.3.2-16] in 5.0, [MQTT-3.3.2-17] in 5.0,
/// [MQTT-3.3.2-18] in 5.0, [MQTT-3.3.2-20] in 5.0: what a publisher says of its message arrives as it was said, at every
/// QoS and on every line.
#[test]
fn v5_3_3_2_17_properties_pass_unaltered_and_in_order() {
    let mut world = World::new();
    let asker = world.client("asker").connect();
    let readers: Vec<Client> = ["a", "b", "c", "d"].map(|id| world.client(id).connect()).into();
    for reader in &readers {
        world.subscribe(*reader, "questions", QoS::ExactlyOnce);
    }
    for (id, qos) in (1..).zip(QOS) {
        let plain = publish("questions", "?", qos);
        let packet_id = plain.packet_id.and(Some(crate::world::packets::id(id)));
        let sent = Publish {
            packet_id,
            properties: Some(Box::new(all_properties())),
            ..plain
        };
        world.send(asker, Packet::Publish(sent));
        for reader in &readers {
            let got = world.publishes(*reader);
            assert_eq!(got.len(), 1);
            assert_eq!(got[0].qos, qos);
            assert_eq!(got[0].properties, Some(Box::new(all_properties())));
        }
    }
}

/// [MQTT-3.3.2-4] in 5.0, [MQTT-3.3.2-17] in 5.0: a queue and a retained message keep them too.
#[test]
fn v5_3_3_2_17_properties_survive_a_queue_and_being_retained() {
    let mut world = World::new();
    let asker = world.client("asker").connect();
    let away = world.client("away").persistent().connect();
    world.subscribe(away, "questions", QoS::AtLeastOnce);
    world.drop_connection(away);

    let sent = Publish {
        retain: true,
        ..publish("questions", "?", QoS::AtLeastOnce)
    };
    world.send(
        asker,
        Packet::Publish(Publish {
            properties: Some(Box::new(all_properties())),
            ..sent
        }),
    );

    let back = world.client("away").persistent().connect();
    let late = world.client("late").connect();
    world.subscribe(late, "questions", QoS::AtMostOnce);
    for reader in [back, late] {
        let got = world.publishes(reader);
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].properties, Some(Box::new(all_properties())));
    }
}

/// Clients of different versions understand each other; what 3.1.1 cannot say is left out.
#[test]
fn versions_mix() {
    let mut world = World::new();
    let old = world.client("old").version(Version::V311).connect();
    let new = world.client("new").connect();
    for client in [old, new] {
        world.subscribe(client, "talk", QoS::AtMostOnce);
    }
    let sent = publish("talk", "from new", QoS::AtMostOnce);
    world.send(
        new,
        Packet::Publish(Publish {
            properties: Some(Box::new(all_properties())),
            ..sent
        }),
    );
    world.publish(old, "talk", "from old", QoS::AtMostOnce);

    let at_old = world.publishes(old);
    assert_eq!(
        at_old.iter().map(|got| got.properties.is_none()).collect::<Vec<_>>(),
        [true, true]
    );
    let at_new = world.publishes(new);
    assert_eq!(at_new[0].properties, Some(Box::new(all_properties())));
    assert_eq!(at_new[1].properties, None);
}

/// [MQTT-3.3.1-3] in 3.1.1, [MQTT-3.3.1-3] in 5.0: the publisher's DUP flag describes its hop only.
/// [MQTT-3.3.1-2] in 3.1.1, [MQTT-3.3.1-2] in 5.0, [MQTT-4.3.1-1] in 3.1.1, [MQTT-4.3.1-1] in 5.0: never DUP at QoS 0.
#[test]
fn v5_3_3_1_3_dup_is_not_passed_on() {
    for version in BOTH {
        let mut world = World::new();
        let sender = world.client("sender").version(version).connect();
        let (careful, careless) = (
            world.client("a").version(version).connect(),
            world.client("b").connect(),
        );
        world.subscribe(careful, "news", QoS::ExactlyOnce);
        world.subscribe(careless, "news", QoS::AtMostOnce);

        for (id, qos) in [(7, QoS::AtLeastOnce), (8, QoS::ExactlyOnce)] {
            let repeated = Publish {
                dup: true,
                ..publish_as(id, "news", "again", qos)
            };
            world.send(sender, Packet::Publish(repeated));
        }

        let got = world.publishes(careful);
        assert_eq!(
            got.iter().map(|got| (got.qos, got.dup)).collect::<Vec<_>>(),
            [(QOS[1], false), (QOS[2], false)]
        );
        let got = world.publishes(careless);
        assert_eq!(
            got.iter().map(|got| (got.qos, got.dup)).collect::<Vec<_>>(),
            [(QOS[0], false); 2]
        );
    }
}

/// [MQTT-3.1.2-24] in 5.0, [MQTT-3.1.2-25] in 5.0: what is larger than a client takes is left out as if it had been
/// delivered; what fits follows, and others get all of it.
#[test]
fn v5_3_1_2_25_a_message_too_large_for_a_client_is_left_out() {
    for qos in QOS {
        let mut world = World::new();
        let sender = world.client("sender").connect();
        let (small, large) = (
            world.client("small").packet_size_max(64).connect(),
            world.client("large").connect(),
        );
        world.subscribe(small, "news", qos);
        world.subscribe(large, "news", qos);

        let long = "x".repeat(100);
        for (id, payload) in [(1, long.as_str()), (2, "short")] {
            let packet_id = (qos != QoS::AtMostOnce).then(|| crate::world::packets::id(id));
            world.send(
                sender,
                Packet::Publish(Publish {
                    packet_id,
                    ..publish("news", payload, qos)
                }),
            );
        }

        assert_eq!(world.payloads(small), ["short"], "{qos:?}");
        assert_eq!(world.payloads(large), [long.as_str(), "short"]);
        assert_eq!(world.counters().dropped[Drop::TooLarge as usize], 1);
    }
}

/// [MQTT-3.1.2-24] in 5.0: the limit is the whole packet, with what is added for this client, and is itself allowed.
#[test]
fn v5_3_1_2_24_a_packet_of_exactly_the_limit_is_sent() {
    let news = publish("news", "0123456789", QoS::AtLeastOnce);
    let id = SubscriptionId::new(200).unwrap();
    let properties = PublishProperties {
        subscription_ids: vec![id],
        ..PublishProperties::default()
    };
    let as_sent = Packet::Publish(Publish {
        properties: Some(Box::new(properties)),
        ..news.clone()
    });
    let len = as_sent.encoded_len(Version::V5) as u32;
    for (max, expected) in [(len, 1), (len - 1, 0)] {
        let mut world = World::new();
        let sender = world.client("sender").connect();
        let reader = world.client("reader").packet_size_max(max).connect();
        let packet = subscribe(1, "news", QoS::AtLeastOnce);
        world.subscribe_with(
            reader,
            mqtt_codec::Subscribe {
                subscription_id: Some(id),
                ..packet
            },
        );
        world.send(sender, Packet::Publish(news.clone()));
        assert_eq!(world.publishes(reader).len(), expected, "Maximum Packet Size {max}");
        assert_eq!(world.counters().inflight, expected as u64);
    }
}

/// [MQTT-3.1.2-25] in 5.0: a client that comes back with a smaller limit is not stuck behind what it had been sent.
#[test]
fn v5_3_1_2_25_a_repeat_that_is_too_large_is_given_up() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "news", QoS::AtLeastOnce);
    world.publish(sender, "news", &"x".repeat(100), QoS::AtLeastOnce);
    world.publish(sender, "news", "short", QoS::AtLeastOnce);
    assert_eq!(world.publishes(reader).len(), 2);
    world.drop_connection(reader);

    let reader = world.client("reader").persistent().packet_size_max(64).connect();
    assert_eq!(world.payloads(reader), ["short"]);
    assert_eq!(world.counters().inflight, 1);
}

/// [MQTT-3.2.2-15] in 5.0: the broker takes packets up to its own limit; a larger one ends the connection with 0x95.
#[test]
fn v5_3_2_2_15_a_packet_beyond_the_brokers_limit_ends_the_connection() {
    for version in BOTH {
        let mut world = World::limited(|limits| limits.packet_bytes_max = 200);
        let reader = world.client("reader").connect();
        world.subscribe(reader, "news", QoS::AtMostOnce);
        let sender = world.client("sender").version(version).connect();
        let empty = Packet::Publish(publish("news", "", QoS::AtMostOnce)).encoded_len(version);
        // From 128 bytes on the length takes a second byte.
        let longest = "x".repeat(200 - empty - 1);
        world.publish(sender, "news", &longest, QoS::AtMostOnce);
        assert_eq!(world.payloads(reader), [longest.as_str()]);

        world.publish(sender, "news", &"x".repeat(longest.len() + 1), QoS::AtMostOnce);
        assert_eq!(world.publishes(reader), []);
        assert!(!world.is_connected(sender));
        let said = world.goodbye(sender);
        assert_eq!(
            said,
            (version == Version::V5).then_some(DisconnectReason::PacketTooLarge)
        );
    }
}

/// A PUBLISH that breaks a rule, as bytes, and the reason that 5.0 is told.
fn broken_publishes() -> Vec<(&'static str, Vec<u8>, DisconnectReason)> {
    vec![
        (
            "QoS 3",
            vec![0x36, 6, 0, 1, b'a', 0, 1, 0],
            DisconnectReason::MalformedPacket,
        ),
        (
            "DUP with QoS 0",
            vec![0x38, 4, 0, 1, b'a', 0],
            DisconnectReason::MalformedPacket,
        ),
        (
            "a wildcard",
            vec![0x30, 4, 0, 1, b'#', 0],
            DisconnectReason::TopicNameInvalid,
        ),
        (
            "a null character",
            vec![0x30, 4, 0, 1, 0, 0],
            DisconnectReason::MalformedPacket,
        ),
    ]
}

/// [MQTT-3.3.1-4] in 3.1.1, [MQTT-3.3.1-4] in 5.0, [MQTT-3.3.1-2] in 3.1.1, [MQTT-3.3.1-2] in 5.0,
/// [MQTT-3.3.2-2] in 3.1.1, [MQTT-3.3.2-2] in 5.0, [MQTT-4.7.3-2] in 3.1.1, [MQTT-4.7.3-2] in 5.0,
/// [MQTT-4.13.1-1] in 5.0, [MQTT-4.8.0-1] in 3.1.1: a PUBLISH that breaks a rule ends its connection unpublished, and
/// only that one.
#[test]
fn v5_4_13_1_1_a_broken_publish_ends_its_connection() {
    for version in BOTH {
        for (what, bytes, reason) in broken_publishes() {
            let mut world = World::new();
            let reader = world.client("reader").version(version).connect();
            world.subscribe(reader, "#", QoS::AtMostOnce);
            let sender = world.client("sender").version(version).connect();

            world.send_bytes(sender, &bytes);

            assert!(!world.is_connected(sender), "{what}");
            assert!(matches!(world.cause(sender), Some(Cause::Violation(_))), "{what}");
            assert_eq!(
                world.goodbye(sender),
                (version == Version::V5).then_some(reason),
                "{what}"
            );
            assert_eq!(world.payloads(reader), [""; 0], "{what}");
            assert!(world.is_connected(reader));
        }
    }
}

/// [MQTT-3.3.4-6] in 5.0: subscription identifiers are the broker's to send.
#[test]
fn v5_3_3_4_6_a_client_may_not_send_a_subscription_identifier() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    let ids = vec![SubscriptionId::new(1).unwrap()];
    let properties = PublishProperties {
        subscription_ids: ids,
        ..PublishProperties::default()
    };
    let packet = Publish {
        properties: Some(Box::new(properties)),
        ..publish("a", "b", QoS::AtMostOnce)
    };
    world.send(sender, Packet::Publish(packet));
    assert_eq!(world.goodbye(sender), Some(DisconnectReason::ProtocolError));
}

/// What a receiver is told of its subscription and what the publisher said about its hop stay apart: the alias does not
/// travel, and the expiry of a message with an alias does.
#[test]
fn what_belongs_to_the_hop_is_not_passed_on() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    let reader = world.client("reader").connect();
    let mut packet = subscribe(1, "news", QoS::AtMostOnce);
    packet.filters[0].retain_handling = RetainHandling::DoNotSend;
    packet.subscription_id = SubscriptionId::new(5);
    world.subscribe_with(reader, packet);

    let properties = PublishProperties {
        topic_alias: NonZeroU16::new(3),
        ..all_properties()
    };
    let sent = Publish {
        properties: Some(Box::new(properties)),
        ..publish("news", "n", QoS::AtMostOnce)
    };
    world.send(sender, Packet::Publish(sent));

    let ids = vec![SubscriptionId::new(5).unwrap()];
    let expected = PublishProperties {
        subscription_ids: ids,
        ..all_properties()
    };
    assert_eq!(world.publishes(reader)[0].properties, Some(Box::new(expected)));
}
