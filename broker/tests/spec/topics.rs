//! Topic names and filters end to end: wildcards, `$`-topics, deep topics.

use broker::router::RouterLimits;
use mqtt_codec::{Packet, Puback, PubackReason, QoS, SubackReason, Version};

use crate::world::packets::{filter, id, puback, publish_as, subscribe};
use crate::world::{Config, World};

const BOTH: [Version; 2] = [Version::V311, Version::V5];

/// A filter, topics that it matches, and topics that it does not.
const TABLE: [(&str, &[&str], &[&str]); 14] = [
    ("a/b", &["a/b"], &["a", "a/b/", "/a/b", "a/b/c", "A/b", "a/B"]),
    ("a/+", &["a/b", "a/"], &["a", "a/b/c", "b/b"]),
    ("+", &["a", " "], &["/", "a/", "/a"]),
    ("+/+", &["/", "a/", "/a", "a/b"], &["a", "a/b/c"]),
    ("/+", &["/", "/a"], &["a", "a/b"]),
    ("a/+/c", &["a/b/c", "a//c"], &["a/c", "a/b/b/c"]),
    ("a/#", &["a", "a/", "a/b", "a/b/c"], &["b", "ab", "/a"]),
    ("#", &["a", "/", "a/b/c", "/a"], &["$a", "$SYS-like/a", "$"]),
    ("+/#", &["a", "/", "a/b"], &["$a/b", "$a"]),
    ("$a/#", &["$a", "$a/b"], &["a", "a/b"]),
    ("$a/+", &["$a/b"], &["$a", "$b/b"]),
    ("a/$b", &["a/$b"], &["a/b"]),
    ("+/$b", &["a/$b"], &["$a/$b"]),
    // U+00E9 in one character and in two are different topics.
    ("caf\u{e9}", &["caf\u{e9}"], &["cafe\u{301}", "CAF\u{c9}", "cafe"]),
];

/// [MQTT-3.3.2-3] in 3.1.1, [MQTT-3.3.2-3] in 5.0, [MQTT-4.7.3-4] in 3.1.1, [MQTT-4.7.3-4] in 5.0,
/// [MQTT-4.7.1-2] in 3.1.1, [MQTT-4.7.1-1] in 5.0, [MQTT-4.7.1-3] in 3.1.1, [MQTT-4.7.1-2] in 5.0: a delivery's topic is
/// one that the filter matches, as it is written, and all that it matches are delivered.
/// [MQTT-4.7.2-1] in 3.1.1, [MQTT-4.7.2-1] in 5.0: a filter that begins with a wildcard matches no topic with `$`.
#[test]
fn v5_3_3_2_3_a_filter_gets_the_topics_that_it_matches() {
    for version in BOTH {
        for (name, matching, others) in TABLE {
            let mut world = World::new();
            let sender = world.client("sender").version(version).connect();
            let reader = world.client("reader").version(version).connect();
            world.subscribe(reader, name, QoS::AtMostOnce);
            for topic in matching.iter().chain(others) {
                world.publish(sender, topic, "", QoS::AtMostOnce);
            }
            let got: Vec<String> = world
                .publishes(reader)
                .iter()
                .map(|got| got.topic.as_str().to_owned())
                .collect();
            assert_eq!(got, matching, "{name}");
        }
    }
}

/// [MQTT-4.7.2-1] in 3.1.1, [MQTT-4.7.2-1] in 5.0, [MQTT-3.3.1-9] in 5.0: the same rules for retained messages.
#[test]
fn v5_4_7_2_1_retained_messages_follow_the_same_rules() {
    for (name, matching, others) in TABLE {
        let mut world = World::new();
        let sender = world.client("sender").connect();
        for topic in matching.iter().chain(others) {
            world.retain(sender, topic, "kept");
        }
        let reader = world.client("reader").connect();
        world.subscribe(reader, name, QoS::AtMostOnce);
        let mut got: Vec<String> = world
            .publishes(reader)
            .iter()
            .map(|got| got.topic.as_str().to_owned())
            .collect();
        got.sort();
        let mut expected = matching.to_vec();
        expected.sort_unstable();
        assert_eq!(got, expected, "{name}");
    }
}

/// The broker's own topics are read by whoever asks for them and written by nobody else.
#[test]
fn sys_topics_are_the_brokers_own() {
    for version in BOTH {
        let mut world = World::new();
        let reader = world.client("reader").version(version).connect();
        world.subscribe(reader, "$SYS/#", QoS::AtMostOnce);
        world.subscribe(reader, "#", QoS::AtMostOnce);
        let now = world.now;
        world.lines[0].publish_state(
            crate::world::packets::topic("$SYS/broker/uptime"),
            "7 seconds".to_owned(),
            now,
        );
        world.settle();
        assert_eq!(world.payloads(reader), ["7 seconds"]);

        let liar = world.client("liar").version(version).connect();
        world.retain(liar, "$SYS/broker/uptime", "forged");
        world.send(
            liar,
            Packet::Publish(publish_as(5, "$SYS/broker/uptime", "forged", QoS::AtLeastOnce)),
        );
        if version == Version::V5 {
            let refused = Puback::new(id(5), PubackReason::TopicNameInvalid);
            assert_eq!(world.received(liar), [Packet::Puback(refused)]);
        } else {
            // 3.1.1 cannot refuse in an acknowledgement.
            assert!(!world.is_connected(liar));
        }
        assert_eq!(world.payloads(reader), [""; 0]);
    }
}

/// A topic of 65,535 slashes costs a walk and no stack, where the settings allow it.
#[test]
fn a_topic_of_65_535_levels_is_carried() {
    let router = RouterLimits {
        subscriptions_per_session_max: 10,
        topic_levels_max: u16::MAX,
        seed: 7,
    };
    let mut config = Config {
        router,
        ..Config::default()
    };
    config.limits.topic_bytes_max = 65_535;
    config.limits.topic_levels_max = 65_536;
    let mut world = World::with(config);
    let sender = world.client("sender").connect();
    let reader = world.client("reader").connect();
    let slashes = "/".repeat(65_535);
    let deep = format!("{}#", "+/".repeat(32_766));
    for name in [deep.as_str(), &slashes[..65_534], "#"] {
        world.subscribe(reader, name, QoS::AtMostOnce);
    }
    world.retain(sender, &slashes, "deep");
    assert_eq!(world.payloads(reader), ["deep"]);
    world.publish(sender, &slashes[..65_534], "exact", QoS::AtMostOnce);
    assert_eq!(world.payloads(reader), ["exact"]);

    let late = world.client("late").connect();
    world.subscribe(late, &deep, QoS::AtMostOnce);
    assert_eq!(world.payloads(late), ["deep"]);
    world.drop_connection(reader);
    world.drop_connection(late);
    assert_eq!(world.tables.router.borrow().subscription_count(), 0);
}

/// Topics deeper or longer than the settings allow are refused aloud, in either direction, and the connection goes on.
#[test]
fn too_deep_and_too_long_topics_are_refused() {
    let mut world = World::limited(|limits| {
        limits.topic_levels_max = 4;
        limits.topic_bytes_max = 20;
    });
    let client = world.client("client").connect();
    let too_long = "x".repeat(21);
    for (number, topic) in (1..).zip(["a/b/c/d/e", "/////", &too_long]) {
        world.send(client, Packet::Publish(publish_as(number, topic, "", QoS::AtLeastOnce)));
        let refused = Puback::new(id(number), PubackReason::TopicNameInvalid);
        assert_eq!(world.received(client), [Packet::Puback(refused)], "{topic}");
    }
    let fits = "x".repeat(20);
    for topic in ["a/b/c/d", "////"[1..].as_ref(), &fits] {
        world.subscribe(client, topic, QoS::AtMostOnce);
        world.send(client, Packet::Publish(publish_as(9, topic, topic, QoS::AtLeastOnce)));
        assert_eq!(world.payloads(client), [topic]);
        assert_eq!(world.received(client), [puback(id(9))]);
    }
    let suback = world.subscribe_with(client, subscribe(2, &too_long, QoS::AtMostOnce));
    assert_eq!(suback.reasons, [SubackReason::TopicFilterInvalid]);
}

/// [MQTT-4.7.3-3] in 3.1.1, [MQTT-4.7.3-3] in 5.0: a topic and a filter may have all of their 65,535 bytes.
#[test]
fn v5_4_7_3_3_the_longest_topic_is_carried() {
    for version in BOTH {
        let mut world = World::limited(|limits| limits.topic_bytes_max = 65_535);
        let client = world.client("client").version(version).connect();
        let longest = "x".repeat(65_535);
        assert!(mqtt_codec::TopicName::new("x".repeat(65_536)).is_err());
        assert!(mqtt_codec::TopicFilter::new("x".repeat(65_536)).is_err());
        world.subscribe(client, &longest, QoS::AtMostOnce);
        world.publish(client, &longest, "long", QoS::AtMostOnce);
        assert_eq!(world.payloads(client), ["long"]);
        assert_eq!(filter(&longest).len(), 65_535);
    }
}

/// [MQTT-1.5.4-3] in 5.0, [MQTT-1.5.3-3] in 3.1.1: U+FEFF is a character like any other and stays where it is.
#[test]
fn v5_1_5_4_3_a_byte_order_mark_is_kept() {
    for version in BOTH {
        let mut world = World::new();
        let client = world.client("client").version(version).connect();
        world.subscribe(client, "\u{feff}a/+", QoS::AtMostOnce);
        for topic in ["\u{feff}a/b\u{feff}", "a/b"] {
            world.publish(client, topic, "", QoS::AtMostOnce);
        }
        let got: Vec<String> = world
            .publishes(client)
            .iter()
            .map(|got| got.topic.as_str().to_owned())
            .collect();
        assert_eq!(got, ["\u{feff}a/b\u{feff}"]);
    }
}
